/* The part of HTTP/1.1 that this server speaks, without any input or output. */
#ifndef HTTP_H
#define HTTP_H

#include <stddef.h>

enum parsed { INCOMPLETE, COMPLETE, MALFORMED, UNSUPPORTED };

struct request {
    char method[8];
    char path[256];
    int keep_alive;
    /* How many bytes of the input the request takes, its body included. */
    size_t length;
};

/* Reads the first request of `size` bytes at `input`. */
enum parsed parse_request(const char *input, size_t size, struct request *request);

/* Copies `text` as the inside of a JSON string; stops before it would not fit. */
void escape_json(char *target, size_t size, const char *text);

/* Writes a whole response; `body` is left out for a HEAD request. Returns its length, 0 if it does not fit. */
size_t render_response(char *target, size_t size, const struct request *request, int status, const char *type,
                       const char *body);

#endif
