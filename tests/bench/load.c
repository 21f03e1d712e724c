/* The load of the benchmark: asks, counts, verifies, and prints one line of JSON.
 *
 *     load PORT WORK CONNECTIONS [name=value ...]
 *
 * WORK is json, stream, upload or idle. Values: seconds (no new request after it; 0: none but `each`), each (requests
 * on a connection, 0: any number), deltas, pace_us, bytes (of an upload), spread_ms (over which the connections
 * begin), deadline_s (what is open then is an error), prefix (before each path), by_get (1: streams are asked for
 * by GET, which a recording answers again and again).
 * idle: each connection asks once and stays; prints a line when all are held and another when its input ends.
 * A connection closed between two answers is opened anew and counted, not an error. One thread, epoll.
 */
#include "wire.h"
#include "samples.h"
#include <fcntl.h>

#define OPENING_AT_ONCE 32

enum work { JSON, STREAM, UPLOAD, IDLE };
enum { REFUSED, STATUS, TORN, WRONG, UNFINISHED, KINDS };
static const char *const KIND_NAMES[] = {"refused", "status", "torn", "wrong", "unfinished"};

struct connection {
    int fd, is_open, wants_out, asked_before;
    struct message answer;
    size_t head_left;
    uint64_t body_left, start_ns, asked_ns, first_ns, done;
    uint64_t events, bytes, stamp;
    int digits, was_newline;
};

static enum work work;
static int port, poller;
static size_t connections, open_now, next_start, finished;
static double seconds, deadline_s = 60;
static uint64_t each, deltas = 200, pace_us, upload_bytes, spread_ms, by_get, begun, stop_ns;
static const char *prefix = "";
static char request[2048], block[262144];
static size_t request_size;
static struct connection *all;
static struct samples firsts, delays; /* until the first event, and of each event on its way */
static uint64_t requests, events, bytes, reopened, errors[KINDS];

static void watch(struct connection *c, int wants_out, int op) {
    struct epoll_event e = {.events = EPOLLIN | (wants_out ? EPOLLOUT : 0), .data.ptr = c};
    epoll_ctl(poller, op, c->fd, &e);
    c->wants_out = wants_out;
}

static void ask(struct connection *c, int is_again);

static void fail(struct connection *c, int kind);

static int dial(struct connection *c) {
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    int on = 1;
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    c->fd = socket(AF_INET, SOCK_STREAM, 0); /* on loopback a blocking connect is done at once, or refused */
    if (c->fd < 0) die("socket");
    if (connect(c->fd, (struct sockaddr *)&to, sizeof to)) return close(c->fd), 0;
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    fcntl(c->fd, F_SETFL, O_NONBLOCK);
    c->is_open = 1;
    c->asked_before = 0;
    watch(c, 0, EPOLL_CTL_ADD);
    return 1;
}

static void hang_up(struct connection *c) {
    struct linger at_once = {1, 0}; /* no port is left waiting for the next round */
    if (c->is_open) setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once), close(c->fd);
    c->is_open = 0;
}

static void leave(struct connection *c) {
    if (work != IDLE || !c->is_open) hang_up(c);
    finished++;
    open_now--;
}

static void fail(struct connection *c, int kind) {
    errors[kind]++;
    hang_up(c);
    leave(c);
}

static void finish(struct connection *c) {
    requests++;
    c->done++;
    if (c->answer.closes) hang_up(c);
    if (work == IDLE || (each && c->done >= each) || (seconds > 0 && now_ns() >= stop_ns)) leave(c);
    else ask(c, 0);
}

/* Send what is left of the request; the kernel says when it takes more. */
static void push(struct connection *c) {
    while (c->head_left || c->body_left) {
        const char *from = c->head_left ? request + request_size - c->head_left : block;
        size_t size = c->head_left ? c->head_left : c->body_left < sizeof block ? c->body_left : sizeof block;
        ssize_t n = send(c->fd, from, size, MSG_NOSIGNAL | (c->head_left && c->body_left ? MSG_MORE : 0));
        if (n < 0 && errno == EAGAIN) {
            if (!c->wants_out) watch(c, 1, EPOLL_CTL_MOD);
            return;
        }
        if (n < 0) break; /* what the other side said before it closed is still to be read */
        if (c->head_left) c->head_left -= (size_t)n;
        else c->body_left -= (uint64_t)n;
    }
    if (c->wants_out) watch(c, 0, EPOLL_CTL_MOD);
}

static void ask(struct connection *c, int is_again) {
    if (!c->is_open && !dial(c)) return fail(c, REFUSED);
    message_begin(&c->answer, 1);
    c->head_left = request_size;
    c->body_left = work == UPLOAD ? upload_bytes : 0;
    c->events = c->bytes = c->first_ns = 0;
    c->digits = c->was_newline = 0;
    if (!is_again) c->asked_ns = now_ns();
    push(c);
}

static void first_came(struct connection *c, uint64_t now) {
    if (c->first_ns) return;
    c->first_ns = now;
    sample(&firsts, now - c->asked_ns);
}

/* Count events and read stamps, wherever the pieces were cut. */
static void read_events(struct connection *c, const char *at, size_t size, uint64_t now) {
    for (const char *end = at + size; at < end; at++) {
        if (c->digits) {
            c->stamp = c->stamp * 10 + (uint64_t)(*at - '0');
            if (++c->digits > DIGITS) {
                c->digits = 0;
                if (c->events >= OPENING_EVENTS && c->events < OPENING_EVENTS + deltas) sample(&delays, now - c->stamp);
            }
        } else if (*at == '@') {
            c->digits = 1;
            c->stamp = 0;
        } else if (*at == '\n') {
            if (c->was_newline) c->events++, first_came(c, now);
            c->was_newline = !c->was_newline;
            continue;
        }
        c->was_newline = 0;
    }
}

static int is_right(struct connection *c) {
    if (work == STREAM) return c->events == stream_events(deltas) && c->bytes == stream_bytes(deltas);
    if (work == UPLOAD) return c->stamp == upload_bytes && !c->body_left;
    return c->bytes == JSON_BYTES && !c->stamp;
}

/* Take one piece of an answer's body; `stamp` is where a JSON answer differed, or how much an upload's counted. */
static void read_piece(struct connection *c, const char *at, size_t size, uint64_t now) {
    if (work == STREAM) {
        read_events(c, at, size, now);
    } else {
        if (!c->bytes) c->stamp = 0;
        for (size_t i = 0; work == UPLOAD && i < size; i++)
            if (at[i] >= '0' && at[i] <= '9') c->stamp = c->stamp * 10 + (uint64_t)(at[i] - '0');
        if (work != UPLOAD && (c->bytes + size > JSON_BYTES || memcmp(json_body() + c->bytes, at, size))) c->stamp = 1;
        first_came(c, now);
    }
    c->bytes += size;
    bytes += size;
}

static void take(struct connection *c, const char *at, size_t got) {
    uint64_t now = now_ns();
    for (const char *end = at + got;;) {
        size_t size = 0;
        enum got what = message_next(&c->answer, &at, end, &size);
        if (what == MORE) return;
        if (what == BAD) return fail(c, WRONG);
        if (what == HEAD && strncmp(c->answer.head + 8, " 200", 4)) return fail(c, STATUS);
        if (what == PIECE) read_piece(c, at - size, size, now);
        if (what == END) {
            events += c->events;
            c->asked_before = 1;
            return is_right(c) ? finish(c) : fail(c, WRONG);
        }
    }
}

static void closed(struct connection *c) {
    if (c->answer.stage == TO_CLOSE) {
        c->answer.stage = DONE;
        c->answer.closes = 1;
        return take(c, NULL, 0);
    }
    if (!c->asked_before || c->answer.stage != IN_HEAD || c->answer.held) return fail(c, TORN);
    reopened++;
    hang_up(c);
    ask(c, 1);
}

static void serve(struct connection *c, uint32_t what) {
    static char in[262144];
    if (!c->is_open) return;
    if (what & EPOLLOUT) push(c);
    if (!(what & (EPOLLIN | EPOLLERR | EPOLLHUP))) return;
    ssize_t n = recv(c->fd, in, sizeof in, 0);
    if (n > 0) take(c, in, (size_t)n);
    else if (n == 0 || errno != EAGAIN) closed(c);
}

/* Spread over time with a little chance, so that paced streams do not beat in step. */
static void plan(void) {
    uint64_t chance = 88172645463325252u, step = connections ? spread_ms * 1000000 / connections : 0;
    for (size_t i = 0; i < connections; i++) {
        chance ^= chance << 13, chance ^= chance >> 7, chance ^= chance << 17;
        all[i].start_ns = begun + i * step + (step ? chance % step : 0);
    }
}

static void start_due(void) {
    while (next_start < connections && all[next_start].start_ns <= now_ns()) {
        if (work == IDLE && open_now >= OPENING_AT_ONCE) return;
        open_now++;
        ask(&all[next_start++], 0);
    }
}

static uint64_t wake_ns(uint64_t deadline_ns) {
    int has_room = work != IDLE || open_now < OPENING_AT_ONCE;
    return next_start < connections && has_room ? all[next_start].start_ns : deadline_ns;
}

static void run(void) {
    struct epoll_event what[256];
    uint64_t deadline_ns = begun + (uint64_t)(deadline_s * 1e9);
    while (finished < connections && now_ns() < deadline_ns) {
        start_due();
        int n = finished == connections ? 0 : wait_events(poller, what, 256, wake_ns(deadline_ns));
        for (int i = 0; i < n; i++) serve(what[i].data.ptr, what[i].events);
    }
    errors[UNFINISHED] = connections - finished;
}

static void report(void) {
    printf("{\"requests\": %lu, \"events\": %lu, \"bytes\": %lu, \"reopened\": %lu, \"wall_s\": %.6f, \"cpu_s\": %.6f",
        requests, events, bytes, reopened, (double)(now_ns() - begun) / 1e9, cpu_s());
    print_quantiles("first", &firsts);
    print_quantiles("delay", &delays);
    for (int i = 0; i < KINDS; i++) printf("%s\"%s\": %lu", i ? ", " : ", \"errors\": {", KIND_NAMES[i], errors[i]);
    printf("}}\n");
    fflush(stdout);
}

static void set(const char *pair) {
    static const struct { const char *name; uint64_t *whole; double *real; } values[] = {
        {"seconds", NULL, &seconds}, {"deadline_s", NULL, &deadline_s}, {"each", &each, NULL}, {"deltas", &deltas, NULL},
        {"pace_us", &pace_us, NULL}, {"bytes", &upload_bytes, NULL}, {"spread_ms", &spread_ms, NULL},
        {"by_get", &by_get, NULL}};
    const char *value = strchr(pair, '=');
    size_t size = value ? (size_t)(value - pair) : 0, i = 0;
    if (size == 6 && !strncmp(pair, "prefix", size)) return (void)(prefix = value + 1);
    while (i < sizeof values / sizeof *values && (strlen(values[i].name) != size || strncmp(pair, values[i].name, size))) i++;
    if (i == sizeof values / sizeof *values) exit(2);
    if (values[i].real) *values[i].real = atof(value + 1);
    else *values[i].whole = (uint64_t)atof(value + 1);
}

static void write_request(void) {
    char body[256] = "";
    int posts = work == UPLOAD || (work == STREAM && !by_get);
    const char *path = work == STREAM ? "threads/runs" : work == UPLOAD ? "files" : "assistants/asst_1";
    if (work == STREAM && posts)
        snprintf(body, sizeof body, "{\"assistant_id\":\"asst_1\",\"stream\":true,\"instructions\":\"deltas %lu pace_us %lu\"}", deltas, pace_us);
    int n = snprintf(request, sizeof request, "%s %s/v1/%s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nAuthorization: Bearer bench\r\nOpenAI-Beta: assistants=v2\r\n",
        posts ? "POST" : "GET", prefix, path, port);
    if (posts)
        n += snprintf(request + n, sizeof request - (size_t)n, "Content-Type: %s\r\nContent-Length: %lu\r\n",
            work == STREAM ? "application/json" : "application/octet-stream", work == STREAM ? strlen(body) : upload_bytes);
    request_size = (size_t)(n + snprintf(request + n, sizeof request - (size_t)n, "\r\n%s", body));
}

int main(int count, char **words) {
    static const char *const names[] = {"json", "stream", "upload", "idle"};
    if (count < 4) return 2;
    port = atoi(words[1]), connections = strtoull(words[3], NULL, 10);
    while (work < IDLE && strcmp(words[2], names[work])) work++;
    for (int i = 4; i < count; i++) set(words[i]);
    if (seconds <= 0 && !each) each = 1;
    all = calloc(connections, sizeof *all);
    memset(block, 'x', sizeof block);
    write_request();
    prctl(PR_SET_TIMERSLACK, 1);
    poller = epoll_create1(0), begun = now_ns();
    stop_ns = begun + (uint64_t)(seconds * 1e9);
    plan();
    run();
    report();
    while (work == IDLE && getchar() != EOF) {}
    return 0;
}
