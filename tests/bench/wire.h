/* What upstream.c and load.c agree on: one clock, one reading of HTTP/1.1, and the exact bytes of every answer.
 *
 * Every event but the last carries a stamp: '@' and the nanoseconds of CLOCK_MONOTONIC in 19 digits, so the one-way
 * delay is exact where both programs run on one machine. All lengths are fixed, so that the load knows how many
 * bytes a whole stream has and can tell one that lost or gained any.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define DIGITS 19
#define JSON_BYTES 1200
#define HEAD_MAX 16384

static inline uint64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static inline double cpu_s(void) {
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static inline void put_digits(char *at, uint64_t value) {
    for (int i = DIGITS - 1; i >= 0; i--, value /= 10) at[i] = (char)('0' + value % 10);
}

/* Wait to the nanosecond: in whole milliseconds, streams would be paced in step and queue behind each other. */
static inline int wait_events(int epoll, struct epoll_event *events, int max, uint64_t until) {
    uint64_t now = now_ns(), left = until > now ? until - now : 0;
    struct timespec t = {(time_t)(left / 1000000000u), (long)(left % 1000000000u)};
    return epoll_pwait2(epoll, events, max, until == UINT64_MAX ? NULL : &t, NULL);
}

static inline void die(const char *what) {
    perror(what);
    exit(1);
}

/* The bytes of the answers. */

#define ZEROS "0000000000000000000"
#define STAMP "@" ZEROS
#define RUN_REST                                                                                                     \
    "\",\"object\":\"thread.run\",\"created_at\":1767225600,\"assistant_id\":\"asst_NfZwRJhyj5PzSJxkKIv6IK65\","      \
    "\"thread_id\":\"thread_2wFQsVFOs3CfYlcdgDs25sPd\",\"started_at\":null,\"expires_at\":1767226200,"                \
    "\"model\":\"gpt-4o\",\"instructions\":\"Write at length.\",\"tools\":[],\"temperature\":1.0,"                    \
    "\"metadata\":{\"sent\":\"" STAMP "\"},\"status\":"
#define MESSAGE_REST "\",\"object\":\"thread.message\",\"role\":\"assistant\",\"metadata\":{\"sent\":\"" STAMP "\"}"
#define RUN(name, rest) "event: thread.run." name "\ndata: {\"id\":\"run_" ZEROS RUN_REST rest "}\n\n"
#define MESSAGE(name, rest) "event: thread.message." name "\ndata: {\"id\":\"msg_" ZEROS MESSAGE_REST rest "}\n\n"
#define OPENING                                                                                                      \
    RUN("created", "\"queued\"")                                                                                     \
    RUN("queued", "\"queued\"") RUN("in_progress", "\"in_progress\"") MESSAGE("created", ",\"content\":[]")
#define DELTA                                                                                                        \
    "event: thread.message.delta\ndata: {\"id\":\"msg_" ZEROS "\",\"object\":\"thread.message.delta\",\"delta\":"     \
    "{\"content\":[{\"index\":0,\"type\":\"text\",\"text\":{\"value\":\" " STAMP "\",\"annotations\":[]}}]}}\n\n"
#define CLOSING                                                                                                      \
    MESSAGE("completed", ",\"content\":[{\"type\":\"text\",\"text\":{\"value\":\"said\",\"annotations\":[]}}]")       \
    RUN("completed",                                                                                                 \
        "\"completed\",\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":200,\"total_tokens\":209}")              \
    "event: done\ndata: [DONE]\n\n"
#define OPENING_EVENTS 4
#define CLOSING_EVENTS 3

static inline uint64_t stream_bytes(uint64_t deltas) {
    return sizeof(OPENING) - 1 + deltas * (sizeof(DELTA) - 1) + sizeof(CLOSING) - 1;
}

static inline uint64_t stream_events(uint64_t deltas) { return OPENING_EVENTS + deltas + CLOSING_EVENTS; }

/* An assistant whose instructions fill it up to JSON_BYTES. */
static inline const char *json_body(void) {
    static char body[JSON_BYTES + 1];
    const char *head = "{\"id\":\"asst_1\",\"object\":\"assistant\",\"model\":\"gpt-4o\",\"instructions\":\"";
    if (!body[0]) {
        memset(body, 'x', JSON_BYTES);
        memcpy(body, head, strlen(head));
        memcpy(body + JSON_BYTES - 2, "\"}", 2);
    }
    return body;
}

/* Reading a message piece by piece, requests and answers alike. */

enum got { MORE, HEAD, PIECE, END, BAD };
enum stage { IN_HEAD, IN_BODY, IN_SIZE, IN_CHUNK, AFTER_CHUNK, IN_TRAILER, TO_CLOSE, DONE };

struct message {
    enum stage stage;
    int is_answer, closes;
    uint64_t left;
    size_t held; /* bytes of the head, or of the line of a chunk's size */
    char head[HEAD_MAX];
};

static inline void message_begin(struct message *m, int is_answer) {
    m->stage = IN_HEAD;
    m->is_answer = is_answer;
    m->closes = 0;
    m->held = 0;
}

static inline enum got head_read(struct message *m) {
    const char *length = strcasestr(m->head, "\ncontent-length:");
    m->closes = strcasestr(m->head, "\nconnection: close") != NULL;
    m->held = 0;
    if (strcasestr(m->head, "\ntransfer-encoding: chunked")) {
        m->stage = IN_SIZE;
    } else if (length) {
        m->left = strtoull(length + 16, NULL, 10);
        m->stage = m->left ? IN_BODY : DONE;
    } else {
        m->stage = m->is_answer ? TO_CLOSE : DONE;
    }
    return HEAD;
}

static inline enum got head_more(struct message *m, const char **at, const char *end) {
    size_t take = (size_t)(end - *at), old = m->held;
    if (take > HEAD_MAX - 1 - old) take = HEAD_MAX - 1 - old;
    memcpy(m->head + old, *at, take);
    size_t from = old > 3 ? old - 3 : 0;
    char *blank = memmem(m->head + from, old + take - from, "\r\n\r\n", 4);
    if (!blank) {
        m->held += take;
        *at += take;
        return m->held == HEAD_MAX - 1 ? BAD : MORE;
    }
    *at += (size_t)(blank + 4 - m->head) - old;
    blank[4] = 0;
    return head_read(m);
}

/* Take a line into `head`; tells whether it is whole. */
static inline int line_more(struct message *m, const char **at, const char *end) {
    while (*at < end && m->held < 256) {
        char c = *(*at)++;
        if (c == '\n') return 1;
        m->head[m->held++] = c;
    }
    return 0;
}

static inline enum got body_piece(struct message *m, const char **at, const char *end, size_t *size) {
    *size = (size_t)(end - *at);
    if (m->stage != TO_CLOSE) {
        if (*size > m->left) *size = (size_t)m->left;
        m->left -= *size;
        if (!m->left) m->stage = m->stage == IN_BODY ? DONE : AFTER_CHUNK;
    }
    *at += *size;
    return PIECE;
}

/* Take one step through what came; at PIECE, `size` bytes of body end at `*at`. */
static inline enum got message_next(struct message *m, const char **at, const char *end, size_t *size) {
    if (m->stage == DONE) return END;
    while (*at < end) {
        if (m->stage == IN_HEAD) return head_more(m, at, end);
        if (m->stage == IN_BODY || m->stage == IN_CHUNK || m->stage == TO_CLOSE) return body_piece(m, at, end, size);
        if (!line_more(m, at, end)) return m->held >= 256 ? BAD : MORE;
        m->head[m->held] = 0;
        size_t held = m->held;
        m->held = 0;
        if (m->stage == AFTER_CHUNK) {
            m->stage = IN_SIZE;
        } else if (m->stage == IN_SIZE) {
            m->left = strtoull(m->head, NULL, 16);
            m->stage = m->left ? IN_CHUNK : IN_TRAILER;
        } else if (held <= 1) { /* the blank line after the last chunk, its CR held */
            m->stage = DONE;
            return END;
        }
    }
    return MORE;
}
