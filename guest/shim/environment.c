/* What the C library and the engine want of an operating system: a clock that stands still during
   an entry, and randomness that the host seeds. With these, and silent.h, the guest imports nothing
   of WASI. */

static int64_t entry_time_ms;

int gettimeofday(struct timeval *restrict now, void *restrict zone)
{
    (void)zone;
    now->tv_sec = entry_time_ms / 1000;
    now->tv_usec = entry_time_ms % 1000 * 1000;
    return 0;
}

int clock_gettime(clockid_t clock, struct timespec *now)
{
    (void)clock;
    now->tv_sec = entry_time_ms / 1000;
    now->tv_nsec = entry_time_ms % 1000 * 1000000;
    return 0;
}

/* Math.random: xoshiro256** (Blackman, Vigna), its state filled by SplitMix64 from the 64-bit seed
   that the host gives at the first use in an entry; the upper 53 bits make the number. */
static uint64_t random_state[4];
static bool random_seeded;

static uint64_t splitmix64(uint64_t *state)
{
    uint64_t z = (*state += 0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
}

static uint64_t rotate_left(uint64_t x, int k)
{
    return (x << k) | (x >> (64 - k));
}

static void random_seed_from_host(void)
{
    char digits[16];
    uint64_t seed = 0;
    if (host_call(OP_SEED, "", 0) != sizeof(digits))
        __builtin_trap();
    host_take(digits);
    for (int i = 0; i < 16; i++)
        seed = seed << 4 | (uint64_t)(digits[i] <= '9' ? digits[i] - '0' : digits[i] - 'a' + 10);
    for (int i = 0; i < 4; i++)
        random_state[i] = splitmix64(&seed);
    random_seeded = true;
}

static uint64_t random_next(void)
{
    if (!random_seeded)
        random_seed_from_host();
    uint64_t *s = random_state;
    uint64_t result = rotate_left(s[1] * 5, 7) * 9, t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotate_left(s[3], 45);
    return result;
}

static JSValue math_random(JSContext *c, JSValueConst this_value, int argc, JSValueConst *argv)
{
    (void)c, (void)this_value, (void)argc, (void)argv;
    return JS_NewFloat64(c, (double)(random_next() >> 11) * 0x1p-53);
}

/* Bytes for `crypto`: each number's eight, the lowest first, the last one's as far as they are
   wanted. */
static void random_fill(uint8_t *bytes, size_t length)
{
    for (size_t at = 0; at < length; at += 8) {
        uint64_t number = random_next();
        memcpy(bytes + at, &number, length - at < 8 ? length - at : 8);
    }
}
