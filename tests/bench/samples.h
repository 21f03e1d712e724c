/* Lengths of time, all kept up to a bound, and their quantiles. */
#define SAMPLES_MAX (1u << 22)

struct samples {
    uint32_t count;
    uint32_t tenths_us[SAMPLES_MAX]; /* pages are touched only as far as they are used */
};

static void sample(struct samples *s, uint64_t ns) {
    if (s->count < SAMPLES_MAX) s->tenths_us[s->count++] = ns / 100 > UINT32_MAX ? UINT32_MAX : (uint32_t)(ns / 100);
}

static int by_size(const void *a, const void *b) {
    uint32_t left = *(const uint32_t *)a, right = *(const uint32_t *)b;
    return (left > right) - (left < right);
}

static void put_in_order(struct samples *s) { qsort(s->tenths_us, s->count, sizeof(uint32_t), by_size); }

static double quantile_us(struct samples *s, double q) {
    return s->count ? s->tenths_us[(size_t)(q * (s->count - 1) + 0.5)] / 10.0 : 0;
}

static void print_quantiles(const char *name, struct samples *s) {
    put_in_order(s);
    printf(", \"%s_p50_us\": %.1f, \"%s_p99_us\": %.1f", name, quantile_us(s, 0.5), name, quantile_us(s, 0.99));
}
