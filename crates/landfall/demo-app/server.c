/* {{name}}: a small web server that says who it is. One thread, no dependencies. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "app.h"
#include "http.h"

enum { CONNECTIONS_MAX = 1024, INPUT_MAX = 16384, OUTPUT_MAX = 8192 };

/* After SIGTERM, connections that were promised to stay open may still bring a request for this long. */
enum { FAREWELL_MS = 300, GRACE_MS = 5000 };

struct connection {
    int socket;
    int closing; /* The output is the last one. */
    size_t input_size, output_size, output_sent;
    char input[INPUT_MAX], output[OUTPUT_MAX];
};

static struct connection *connections[CONNECTIONS_MAX];
static int connection_count;
static char greeting[512], pod[256];
static int wake[2];
static volatile sig_atomic_t is_ending;

static void on_signal(int number)
{
    (void)number;
    int kept = errno;
    is_ending = 1;
    ssize_t ignored = write(wake[1], "", 1);
    (void)ignored;
    errno = kept;
}

static long now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000L + now.tv_nsec / 1000000L;
}

static int is_healthy(void)
{
    static int was_healthy = 1;
    const char *file = STOCK_FILE;
    int healthy = !file || access(file, R_OK) == 0;
    /* Told once, not at each question. */
    if (was_healthy && !healthy)
        printf("not healthy: %s: %s\n", file, strerror(errno));
    was_healthy = healthy;
    return healthy;
}

static int answer(const struct request *request, char *body, size_t size, const char **type)
{
    *type = "text/plain; charset=utf-8";
    if (strcmp(request->method, "GET") != 0 && strcmp(request->method, "HEAD") != 0) {
        snprintf(body, size, "only GET and HEAD\n");
        return 405;
    }
    if (strcmp(request->path, "/healthz") == 0) {
        int healthy = is_healthy();
        snprintf(body, size, healthy ? "ok\n" : "the stock cannot be read\n");
        return healthy ? 200 : 500;
    }
    if (strcmp(request->path, "/") == 0) {
        *type = "application/json";
        snprintf(body, size, "{\"app\":\"%s\",\"version\":%d,\"greeting\":\"%s\",\"pod\":\"%s\"}\n", NAME, VERSION,
                 greeting, pod);
        return 200;
    }
    snprintf(body, size, "nothing here\n");
    return 404;
}

/* Answers the first request of the input, if it is whole. Returns whether there was one. */
static int answer_one(struct connection *connection)
{
    struct request request = { .method = "GET" };
    char body[2048];
    const char *type = "text/plain; charset=utf-8";
    int status;
    size_t room = OUTPUT_MAX - connection->output_size;
    if (connection->closing || room < sizeof body + 512)
        return 0;
    switch (parse_request(connection->input, connection->input_size, &request)) {
    case COMPLETE:
        status = answer(&request, body, sizeof body, &type);
        break;
    case INCOMPLETE:
        if (connection->input_size < INPUT_MAX)
            return 0;
        status = 413;
        snprintf(body, sizeof body, "too large\n");
        request.keep_alive = 0;
        break;
    case UNSUPPORTED:
        status = 501;
        snprintf(body, sizeof body, "a body needs a Content-Length\n");
        request.keep_alive = 0;
        break;
    default:
        status = 400;
        snprintf(body, sizeof body, "this is no HTTP\n");
        request.keep_alive = 0;
    }
    if (is_ending)
        request.keep_alive = 0;
    connection->output_size += render_response(connection->output + connection->output_size, room, &request, status,
                                               type, body);
    connection->closing = !request.keep_alive;
    connection->input_size -= request.keep_alive ? request.length : connection->input_size;
    memmove(connection->input, connection->input + request.length, connection->input_size);
    return 1;
}

static void accept_all(int listener)
{
    while (connection_count < CONNECTIONS_MAX) {
        int socket = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (socket < 0 && (errno == EINTR || errno == ECONNABORTED))
            continue;
        if (socket < 0)
            return;
        struct connection *connection = malloc(sizeof *connection);
        if (!connection) {
            close(socket);
            return;
        }
        int on = 1;
        setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        connection->socket = socket;
        connection->closing = 0;
        connection->input_size = connection->output_size = connection->output_sent = 0;
        connections[connection_count++] = connection;
    }
}

/* Reads, answers and writes as far as it goes now. Returns 0 when the connection is over. */
static int serve(struct connection *connection, short events)
{
    if (events & (POLLIN | POLLHUP | POLLERR)) {
        size_t room = INPUT_MAX - connection->input_size;
        ssize_t size = room == 0 ? -1 : recv(connection->socket, connection->input + connection->input_size, room, 0);
        if (room > 0 && (size == 0 || (size < 0 && errno != EAGAIN && errno != EINTR)))
            return 0;
        if (size > 0)
            connection->input_size += (size_t)size;
    }
    for (;;) {
        while (answer_one(connection))
            ;
        if (connection->output_sent == connection->output_size)
            return 1;
        ssize_t size = send(connection->socket, connection->output + connection->output_sent,
                            connection->output_size - connection->output_sent, MSG_NOSIGNAL);
        if (size < 0)
            return errno == EAGAIN || errno == EINTR;
        connection->output_sent += (size_t)size;
        if (connection->output_sent < connection->output_size)
            continue;
        connection->output_sent = connection->output_size = 0;
        if (connection->closing)
            return 0;
    }
}

/* Says goodbye first, so that an answer on its way is not lost to a reset. */
static void drop(struct connection *connection)
{
    shutdown(connection->socket, SHUT_WR);
    close(connection->socket);
    free(connection);
}

static int listen_on(uint16_t port)
{
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), on = 1;
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(port) };
    if (listener < 0)
        return -1;
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(listener, (struct sockaddr *)&address, sizeof address) != 0 || listen(listener, 512) != 0)
        return -1;
    return listener;
}

/* Serves until a signal came and the last answer is out. */
static void run(int listener)
{
    static struct pollfd polled[CONNECTIONS_MAX + 2];
    long ended_at = 0;
    for (;;) {
        if (is_ending && listener >= 0) {
            /* Whoever is in the queue was let in already. */
            accept_all(listener);
            close(listener);
            listener = -1;
            ended_at = now_ms();
        }
        int timeout = -1;
        if (is_ending) {
            long passed = now_ms() - ended_at;
            if (connection_count == 0 || passed >= GRACE_MS)
                return;
            timeout = passed < FAREWELL_MS ? (int)(FAREWELL_MS - passed) : (int)(GRACE_MS - passed);
        }
        /* A full server leaves the others in the queue; a negative number is not looked at. */
        polled[0] = (struct pollfd){ .fd = connection_count < CONNECTIONS_MAX ? listener : -1, .events = POLLIN };
        polled[1] = (struct pollfd){ .fd = wake[0], .events = POLLIN };
        int count = connection_count;
        for (int i = 0; i < count; i++) {
            struct connection *it = connections[i];
            short events = it->output_size > it->output_sent ? POLLOUT : POLLIN;
            polled[i + 2] = (struct pollfd){ .fd = it->socket, .events = events };
        }
        int ready = poll(polled, (nfds_t)count + 2, timeout);
        if (ready < 0 && errno != EINTR)
            return;
        if (ready > 0 && polled[1].revents) {
            char signals[16];
            while (read(wake[0], signals, sizeof signals) > 0)
                ;
        }
        int is_farewell_over = is_ending && ended_at && now_ms() - ended_at >= FAREWELL_MS;
        int kept = 0;
        for (int i = 0; i < count; i++) {
            struct connection *it = connections[i];
            short events = ready > 0 ? polled[i + 2].revents : 0;
            int goes_on = events ? serve(it, events) : 1;
            int is_idle = it->input_size == 0 && it->output_size == 0;
            if (goes_on && !(is_idle && is_farewell_over))
                connections[kept++] = it;
            else
                drop(it);
        }
        connection_count = kept;
        if (ready > 0 && polled[0].revents && listener >= 0)
            accept_all(listener);
    }
}

int main(void)
{
    const char *told = getenv("GREETING");
    escape_json(greeting, sizeof greeting, told ? told : "");
    if (gethostname(pod, sizeof pod) != 0)
        strcpy(pod, "unknown");
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (pipe2(wake, O_NONBLOCK | O_CLOEXEC) != 0) {
        perror("pipe");
        return 1;
    }
    struct sigaction action = { .sa_handler = on_signal };
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    int listener = listen_on({{port}});
    if (listener < 0) {
        perror("port {{port}}");
        return 1;
    }
    printf("%s version %d serves port {{port}}\n", NAME, VERSION);
    run(listener);
    printf("%s version %d ended\n", NAME, VERSION);
    return 0;
}
