/* UTF-8 as the WHATWG Encoding Standard has it. The engine's own conversions keep lone surrogates
   (WTF-8) and replace malformed input in their own way. */

/* Replaces every encoded surrogate (ED A0..BF xx) with U+FFFD, which is as long. */
static void utf8_without_surrogates(uint8_t *p, size_t n)
{
    for (size_t i = 0; i + 2 < n; i++)
        if (p[i] == 0xed && p[i + 1] >= 0xa0) {
            p[i] = 0xef;
            p[i + 1] = 0xbf;
            p[i + 2] = 0xbd;
        }
}

/* A js_malloc'ed copy of a JavaScript string in well-formed UTF-8, NUL-terminated, or NULL with an
   exception pending. */
static char *text_to_utf8(JSValueConst string, size_t *length)
{
    const char *wtf8 = JS_ToCStringLen(ctx, length, string);
    if (!wtf8)
        return NULL;
    char *copy = js_malloc(ctx, *length + 1);
    if (copy) {
        memcpy(copy, wtf8, *length + 1);
        utf8_without_surrogates((uint8_t *)copy, *length);
    }
    JS_FreeCString(ctx, wtf8);
    return copy;
}

/* The number of bytes of the well-formed sequence at p, or minus the number of bytes that one
   U+FFFD stands for ("maximal subpart"); 0 when the sequence is good so far and cut off. */
static int utf8_step(const uint8_t *p, size_t n, uint32_t *code)
{
    uint8_t lower = 0x80, upper = 0xbf, first = p[0];
    int need;
    if (first < 0x80) {
        *code = first;
        return 1;
    }
    if (first >= 0xc2 && first <= 0xdf) {
        need = 1, *code = first & 0x1f;
    } else if (first >= 0xe0 && first <= 0xef) {
        need = 2, *code = first & 0x0f;
        if (first == 0xe0) lower = 0xa0;
        if (first == 0xed) upper = 0x9f;
    } else if (first >= 0xf0 && first <= 0xf4) {
        need = 3, *code = first & 0x07;
        if (first == 0xf0) lower = 0x90;
        if (first == 0xf4) upper = 0x8f;
    } else {
        return -1;
    }
    for (int i = 1; i <= need; i++) {
        if ((size_t)i >= n)
            return 0;
        if (p[i] < lower || p[i] > upper)
            return -i;
        *code = *code << 6 | (p[i] & 0x3f);
        lower = 0x80, upper = 0xbf;
    }
    return need + 1;
}

/* How many bytes at the end are the beginning of a sequence that the next chunk may complete. */
static size_t utf8_unfinished(const uint8_t *p, size_t n)
{
    uint32_t code;
    for (size_t back = 1; back <= 3 && back <= n; back++)
        if ((p[n - back] & 0xc0) != 0x80)
            return utf8_step(p + n - back, back, &code) == 0 ? back : 0;
    return 0;
}

static bool is_ascii(const uint8_t *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (p[i] & 0x80)
            return false;
    return true;
}

/* Decodes all n bytes; malformed input becomes U+FFFD or, with `fatal`, a TypeError. */
static JSValue text_from_utf8(const uint8_t *p, size_t n, bool fatal)
{
    if (is_ascii(p, n))
        return JS_NewStringLen(ctx, (const char *)p, n);
    uint16_t *units = js_malloc(ctx, n * sizeof(*units));
    if (!units)
        return JS_EXCEPTION;
    size_t count = 0;
    for (size_t at = 0; at < n;) {
        uint32_t code = 0;
        int step = utf8_step(p + at, n - at, &code);
        if (step <= 0) {
            if (fatal) {
                js_free(ctx, units);
                return JS_ThrowTypeError(ctx, "The encoded data was not valid UTF-8");
            }
            step = step < 0 ? -step : (int)(n - at);
            code = 0xfffd;
        }
        if (code > 0xffff) {
            units[count++] = 0xd800 + ((code - 0x10000) >> 10);
            code = 0xdc00 + (code & 0x3ff);
        }
        units[count++] = code;
        at += step;
    }
    JSValue string = JS_NewStringUTF16(ctx, units, count);
    js_free(ctx, units);
    return string;
}

static bool is_half(uint16_t unit, uint16_t first)
{
    return (unit & 0xfc00) == first;
}

/* Decodes n bytes of UTF-16LE; lone surrogates and an odd last byte are malformed. */
static JSValue utf16_decode(const uint8_t *p, size_t n, bool fatal)
{
    size_t count = n / 2 + n % 2;
    bool malformed = n % 2 != 0;
    if (count == 0)
        return JS_NewStringLen(ctx, "", 0);
    uint16_t *units = js_malloc(ctx, count * sizeof(*units));
    if (!units)
        return JS_EXCEPTION;
    memcpy(units, p, n / 2 * 2);
    if (malformed)
        units[count - 1] = 0xfffd;
    for (size_t i = 0; i < n / 2; i++) {
        bool pair = is_half(units[i], 0xd800) && i + 1 < n / 2
            && is_half(units[i + 1], 0xdc00);
        if (pair) {
            i++;
        } else if ((units[i] & 0xf800) == 0xd800) {
            units[i] = 0xfffd;
            malformed = true;
        }
    }
    JSValue string = fatal && malformed
        ? JS_ThrowTypeError(ctx, "The encoded data was not valid UTF-16LE")
        : JS_NewStringUTF16(ctx, units, count);
    js_free(ctx, units);
    return string;
}
