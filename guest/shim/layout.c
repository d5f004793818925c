/* What crosses between host and guest for an entry; the host has it in instance.py and sandbox.py. */

#define INPUT_BYTES 65536

/* How an entry ended. */
enum {
    ENDED_WITH_VALUE,     /* text is the JSON of the result */
    ENDED_WITH_NOTHING,   /* undefined, a function or a symbol: no result */
    ENDED_THROWN,         /* text is the JSON of report.c */
    ENDED_NEVER_SETTLED,  /* a promise is pending and no timer is left */
    ENDED_NO_METHOD,      /* no such export */
};

/* What the host reads after an entry: see instance.py. Offsets are into guest memory. */
static struct {
    uint32_t text, text_length;
    uint32_t stack, stack_length;
    uint32_t exports, exports_length;
    uint32_t input, input_capacity;
} output;

struct start_request {
    int64_t time_ms;
    uint32_t run; /* 0 nothing, 1 init, 2 upgrade */
    uint32_t memory_bytes, stack_bytes, console_bytes, timers;
    char code[];
};

struct call_request {
    int64_t time_ms;
    int32_t caller_length; /* -1: nobody */
    uint32_t method_length;
    char rest[]; /* caller, method, arguments as JSON text */
};

static char input_small[INPUT_BYTES + 1];
static char *input_large;

static JSValue module, boot_fire, boot_end, boot_uncaught, boot_exports, boot_resolve, boot_imported;
