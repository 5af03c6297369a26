#include "http.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Finds the end of the head: the first byte after the empty line, or 0. */
static size_t head_length(const char *input, size_t size)
{
    for (size_t i = 3; i < size; i++)
        if (memcmp(input + i - 3, "\r\n\r\n", 4) == 0)
            return i + 1;
    return 0;
}

/* Copies the word up to `end`; returns what follows `end`, or NULL if the word is missing or too long. */
static const char *take_word(const char *from, const char *limit, char end, char *word, size_t size)
{
    size_t length = 0;
    while (from + length < limit && from[length] != end && from[length] != '\r')
        length++;
    if (length == 0 || length >= size || from + length >= limit || from[length] != end)
        return NULL;
    memcpy(word, from, length);
    word[length] = '\0';
    return from + length + 1;
}

/* Whether a comma-separated list such as the value of `Connection` names `token`. */
static int lists(const char *value, size_t length, const char *token)
{
    size_t wanted = strlen(token);
    for (size_t i = 0; i + wanted <= length; i++) {
        int starts = i == 0 || value[i - 1] == ',' || value[i - 1] == ' ';
        int ends = i + wanted == length || value[i + wanted] == ',' || value[i + wanted] == ' ';
        if (starts && ends && strncasecmp(value + i, token, wanted) == 0)
            return 1;
    }
    return 0;
}

static int is_header(const char *line, size_t name_length, const char *name)
{
    return name_length == strlen(name) && strncasecmp(line, name, name_length) == 0;
}

/* Reads a length of digits only; returns 0 if it is none. */
static int parse_length(const char *value, size_t length, size_t *result)
{
    if (length == 0 || length > 9)
        return 0;
    *result = 0;
    for (size_t i = 0; i < length; i++) {
        if (!isdigit((unsigned char)value[i]))
            return 0;
        *result = *result * 10 + (size_t)(value[i] - '0');
    }
    return 1;
}

enum parsed parse_request(const char *input, size_t size, struct request *request)
{
    size_t head = head_length(input, size);
    if (head == 0)
        return INCOMPLETE;
    const char *limit = input + head - 2;
    char version[16];
    const char *at = take_word(input, limit, ' ', request->method, sizeof request->method);
    if (at)
        at = take_word(at, limit, ' ', request->path, sizeof request->path);
    if (at)
        at = take_word(at, limit, '\r', version, sizeof version);
    if (!at || *at != '\n' || strncmp(version, "HTTP/1.", 7) != 0)
        return MALFORMED;
    at++;

    size_t body = 0;
    request->keep_alive = strcmp(version, "HTTP/1.0") != 0;
    while (at < limit) {
        const char *end = memchr(at, '\r', (size_t)(limit - at));
        if (!end)
            return MALFORMED;
        const char *colon = memchr(at, ':', (size_t)(end - at));
        if (!colon || colon == at)
            return MALFORMED;
        const char *value = colon + 1;
        while (value < end && (*value == ' ' || *value == '\t'))
            value++;
        size_t name_length = (size_t)(colon - at), length = (size_t)(end - value);
        if (is_header(at, name_length, "connection")) {
            if (lists(value, length, "close"))
                request->keep_alive = 0;
            else if (lists(value, length, "keep-alive"))
                request->keep_alive = 1;
        } else if (is_header(at, name_length, "content-length")) {
            if (!parse_length(value, length, &body))
                return MALFORMED;
        } else if (is_header(at, name_length, "transfer-encoding")) {
            return UNSUPPORTED;
        }
        at = end + 2;
    }
    if (size - head < body)
        return INCOMPLETE;
    request->length = head + body;
    return COMPLETE;
}

void escape_json(char *target, size_t size, const char *text)
{
    size_t used = 0;
    for (; *text && used + 7 < size; text++) {
        unsigned char symbol = (unsigned char)*text;
        if (symbol == '"' || symbol == '\\')
            used += (size_t)snprintf(target + used, size - used, "\\%c", symbol);
        else if (symbol < 0x20)
            used += (size_t)snprintf(target + used, size - used, "\\u%04x", symbol);
        else
            target[used++] = (char)symbol;
    }
    target[used] = '\0';
}

static const char *reason_of(int status)
{
    switch (status) {
    case 200: return "OK";
    case 400: return "Bad Request";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    case 413: return "Content Too Large";
    case 501: return "Not Implemented";
    default: return "Internal Server Error";
    }
}

size_t render_response(char *target, size_t size, const struct request *request, int status, const char *type,
                       const char *body)
{
    int is_head = strcmp(request->method, "HEAD") == 0;
    int length = snprintf(target, size,
                          "HTTP/1.1 %d %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\nConnection: %s\r\n\r\n%s",
                          status, reason_of(status), type, strlen(body), request->keep_alive ? "keep-alive" : "close",
                          is_head ? "" : body);
    return length > 0 && (size_t)length < size ? (size_t)length : 0;
}
