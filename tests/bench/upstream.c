/* The upstream of the benchmark: prints its port and answers until its standard input ends.
 *
 * GET: a JSON answer of 1.2 KB. POST with "stream": events, as fast as the socket takes them or one each `pace_us`,
 * as the body asks ("deltas", "pace_us"). Any other POST: a sink that tells how many bytes came. One thread, epoll.
 */
#include "wire.h"

#define OUT_MAX 65536
#define BODY_HELD 1024

struct connection {
    int fd, wants_out, streams;
    struct message asked;
    char body[BODY_HELD + 1];
    size_t body_held;
    uint64_t body_bytes, id, deltas_left, pace_ns, due_ns;
    int closing_sent;
    struct connection *later; /* in the queue of paced streams */
    int is_queued, is_gone;
    size_t out_at, out_end;
    char out[OUT_MAX];
};

static int poller;
static uint64_t ids;
/* One pace at a time, and each event is due a pace after the last: the queue is in order without sorting. */
static struct connection *first, *last;

static void queue(struct connection *c, uint64_t due_ns) {
    c->due_ns = due_ns;
    c->later = NULL;
    c->is_queued = 1;
    if (last) last->later = c;
    else first = c;
    last = c;
}

static struct connection *queued(void) {
    struct connection *c = first;
    first = c->later;
    if (!first) last = NULL;
    c->is_queued = 0;
    return c;
}

static void forget(struct connection *c) {
    if (!c->is_gone) close(c->fd);
    c->is_gone = 1;
    if (!c->is_queued) free(c);
}

static void watch(struct connection *c, int wants_out) {
    if (c->wants_out == wants_out) return;
    struct epoll_event e = {.events = EPOLLIN | (wants_out ? EPOLLOUT : 0), .data.ptr = c};
    epoll_ctl(poller, EPOLL_CTL_MOD, c->fd, &e);
    c->wants_out = wants_out;
}

/* Write what waits; tells whether the connection lives. */
static int flush(struct connection *c) {
    while (c->out_at < c->out_end) {
        ssize_t n = send(c->fd, c->out + c->out_at, c->out_end - c->out_at, MSG_NOSIGNAL);
        if (n < 0 && errno == EAGAIN) return watch(c, 1), 1;
        if (n <= 0) return 0;
        c->out_at += (size_t)n;
    }
    c->out_at = c->out_end = 0;
    return watch(c, 0), 1;
}

static void put(struct connection *c, const char *bytes, size_t size) {
    memcpy(c->out + c->out_end, bytes, size);
    c->out_end += size;
}

/* Put one chunk of events, its ids and stamps filled in. */
static void put_events(struct connection *c, const char *events, size_t size) {
    char line[16];
    put(c, line, (size_t)snprintf(line, sizeof line, "%zx\r\n", size));
    char *at = c->out + c->out_end, *end = at + size;
    put(c, events, size);
    put(c, "\r\n", 2);
    uint64_t stamp = now_ns();
    while ((at = memmem(at, (size_t)(end - at), ZEROS, DIGITS))) {
        put_digits(at, at[-1] == '@' ? stamp : c->id);
        at += DIGITS;
    }
}

static void put_closing(struct connection *c) {
    put_events(c, CLOSING, sizeof CLOSING - 1);
    put(c, "0\r\n\r\n", 5);
    c->streams = 0;
}

/* Fill the buffer with an unpaced stream, as far as it takes it. */
static int pour(struct connection *c) {
    while (c->streams && !c->out_end) {
        while (c->deltas_left && c->out_end < OUT_MAX - 4096) {
            put_events(c, DELTA, sizeof DELTA - 1);
            c->deltas_left--;
        }
        if (!c->deltas_left && c->out_end < OUT_MAX - 4096) put_closing(c);
        if (!flush(c)) return 0;
    }
    return 1;
}

static uint64_t number(const char *text, const char *name) {
    const char *at = strstr(text, name);
    return at ? strtoull(at + strlen(name) + strspn(at + strlen(name), "\": "), NULL, 10) : 0;
}

static int answer_stream(struct connection *c) {
    static const char head[] = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";
    c->deltas_left = number(c->body, "deltas");
    c->pace_ns = number(c->body, "pace_us") * 1000;
    c->id = ++ids;
    c->streams = 1;
    put(c, head, sizeof head - 1);
    put_events(c, OPENING, sizeof OPENING - 1);
    if (!flush(c)) return 0;
    if (!c->pace_ns) return pour(c);
    queue(c, now_ns() + c->pace_ns);
    return 1;
}

static int answer_json(struct connection *c, const char *body, int size) {
    c->out_end += (size_t)snprintf(c->out + c->out_end, 4096,
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%.*s", size, size, body);
    return flush(c);
}

static int answer(struct connection *c) {
    char line[64];
    c->body[c->body_held] = 0;
    /* The size of a chunk may stand over the verb by now, but never reads as GET. */
    if (!strncmp(c->asked.head, "GET", 3)) return answer_json(c, json_body(), JSON_BYTES);
    if (strstr(c->body, "\"stream\"")) return answer_stream(c);
    return answer_json(c, line, snprintf(line, sizeof line, "{\"bytes\": %llu}", (unsigned long long)c->body_bytes));
}

/* Take what came; tells whether the connection lives. */
static int take(struct connection *c, const char *at, size_t got) {
    const char *end = at + got;
    for (;;) {
        size_t size = 0;
        enum got what = message_next(&c->asked, &at, end, &size);
        if (what == MORE) return 1;
        if (what == BAD) return 0;
        if (what == PIECE) {
            size_t keep = size < BODY_HELD - c->body_held ? size : BODY_HELD - c->body_held;
            memcpy(c->body + c->body_held, at - size, keep);
            c->body_held += keep;
            c->body_bytes += size;
        }
        if (what == END) {
            if (!answer(c)) return 0;
            message_begin(&c->asked, 0);
            c->body_held = 0;
            c->body_bytes = 0;
        }
    }
}

static void serve(struct connection *c, uint32_t events) {
    static char in[262144];
    if (events & EPOLLIN) {
        ssize_t n = recv(c->fd, in, sizeof in, 0);
        if (n == 0 || (n < 0 && errno != EAGAIN) || (n > 0 && !take(c, in, (size_t)n))) return forget(c);
    } else if (events & (EPOLLERR | EPOLLHUP)) {
        return forget(c);
    }
    if (events & EPOLLOUT && (!flush(c) || (!c->pace_ns && !pour(c)))) forget(c);
}

static void send_due(uint64_t now) {
    while (first && first->due_ns <= now) {
        struct connection *c = queued();
        if (c->is_gone) {
            free(c);
            continue;
        }
        int has_room = c->out_end < OUT_MAX - 4096; /* a reader this slow is a stall of its own: wait a pace */
        if (has_room && c->deltas_left) put_events(c, DELTA, sizeof DELTA - 1), c->deltas_left--;
        if (has_room && !c->deltas_left) put_closing(c);
        if (!flush(c)) forget(c);
        else if (c->streams) queue(c, now_ns() + c->pace_ns);
    }
}

static void welcome(int listener) {
    int fd, on = 1;
    while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
        struct connection *c = calloc(1, sizeof *c);
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        c->fd = fd;
        message_begin(&c->asked, 0);
        struct epoll_event e = {.events = EPOLLIN, .data.ptr = c};
        epoll_ctl(poller, EPOLL_CTL_ADD, fd, &e);
    }
}

static int listening(void) {
    struct sockaddr_in where = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof where;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&where, size) || listen(fd, 4096)) die("listen");
    getsockname(fd, (struct sockaddr *)&where, &size);
    printf("%d\n", ntohs(where.sin_port));
    fflush(stdout);
    return fd;
}

int main(void) {
    struct epoll_event events[256], of_listener = {.events = EPOLLIN}, of_owner = {.events = EPOLLIN};
    int listener, owner; /* told apart from connections by their addresses */
    prctl(PR_SET_TIMERSLACK, 1);
    poller = epoll_create1(0);
    listener = listening();
    of_listener.data.ptr = &listener;
    of_owner.data.ptr = &owner;
    epoll_ctl(poller, EPOLL_CTL_ADD, listener, &of_listener);
    if (epoll_ctl(poller, EPOLL_CTL_ADD, STDIN_FILENO, &of_owner)) die("standard input must be a pipe");
    for (;;) {
        int n = wait_events(poller, events, 256, first ? first->due_ns : UINT64_MAX);
        for (int i = 0; i < n; i++) {
            if (events[i].data.ptr == &owner) return 0;
            if (events[i].data.ptr == &listener) welcome(listener);
            else serve(events[i].data.ptr, events[i].events);
        }
        send_due(now_ns());
    }
}
