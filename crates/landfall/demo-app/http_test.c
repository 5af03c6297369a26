/* Unit tests of http.c: every case compares the whole result. */
#include <stdio.h>
#include <string.h>

#include "http.h"

static int failures;

static void check(const char *input, const char *expected)
{
    struct request request = { .length = 0 };
    char actual[512];
    switch (parse_request(input, strlen(input), &request)) {
    case COMPLETE:
        snprintf(actual, sizeof actual, "%s %s %s %zu", request.method, request.path,
                 request.keep_alive ? "keep" : "close", request.length);
        break;
    case INCOMPLETE: strcpy(actual, "incomplete"); break;
    case UNSUPPORTED: strcpy(actual, "unsupported"); break;
    default: strcpy(actual, "malformed");
    }
    if (strcmp(actual, expected) != 0) {
        printf("FAIL  %s\n  expected  %s\n  found     %s\n", input, expected, actual);
        failures++;
    }
}

static void check_escaped(const char *text, const char *expected)
{
    char actual[64];
    escape_json(actual, sizeof actual, text);
    if (strcmp(actual, expected) != 0) {
        printf("FAIL  %s\n  expected  %s\n  found     %s\n", text, expected, actual);
        failures++;
    }
}

static void check_response(struct request request, int status, const char *expected)
{
    char actual[512];
    size_t length = render_response(actual, sizeof actual, &request, status, "text/plain", "ok\n");
    if (length != strlen(expected) || strcmp(actual, expected) != 0) {
        printf("FAIL  response\n  expected  %s\n  found     %s\n", expected, actual);
        failures++;
    }
}

int main(void)
{
    check("GET / HTTP/1.1\r\n\r\n", "GET / keep 18");
    check("GET / HTTP/1.0\r\n\r\n", "GET / close 18");
    check("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", "GET / keep 42");
    check("GET /a HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", "GET /a close 47");
    check("GET / HTTP/1.1\r\nConnection: upgrade, close\r\n\r\n", "GET / close 46");
    check("GET / HTTP/1.1\r\nConnection: closed\r\n\r\n", "GET / keep 38");
    check("GET / HTTP/1.1\r\n\r\nGET /b HTTP/1.1\r\n\r\n", "GET / keep 18");
    check("POST / HTTP/1.1\r\nContent-Length: 2\r\n\r\nhi", "POST / keep 40");
    check("POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\nhi", "incomplete");
    check("POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", "malformed");
    check("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", "unsupported");
    check("GET / HTTP/1.1\r\nHo", "incomplete");
    check("GET / HTTP/1.1\r\nno colon\r\n\r\n", "malformed");
    check("hello\r\n\r\n", "malformed");
    check("\r\n\r\n", "malformed");
    check_escaped("a \"b\" \\ \n", "a \\\"b\\\" \\\\ \\u000a");
    check_response((struct request){ .method = "GET", .keep_alive = 1 }, 200,
                   "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 3\r\n"
                   "Connection: keep-alive\r\n\r\nok\n");
    check_response((struct request){ .method = "HEAD" }, 404,
                   "HTTP/1.1 404 Not Found\r\nContent-Type: text/plain\r\nContent-Length: 3\r\n"
                   "Connection: close\r\n\r\n");
    printf(failures ? "%d tests failed\n" : "all tests passed\n", failures);
    return failures ? 1 : 0;
}
