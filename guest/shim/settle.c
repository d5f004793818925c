/* Waiting: microtasks, timers, and what becomes of promises that nobody waits for. */

#define REJECTIONS_MAX 1000
static JSValue rejections[REJECTIONS_MAX];
static uint32_t rejections_count;

static void rejection_forget(JSValueConst promise)
{
    for (uint32_t i = 0; i < rejections_count; i++)
        if (JS_VALUE_GET_PTR(rejections[i]) == JS_VALUE_GET_PTR(promise)) {
            JSValue forgotten = rejections[i];
            rejections_count--;
            memmove(rejections + i, rejections + i + 1,
                    (rejections_count - i) * sizeof(*rejections));
            JS_FreeValue(ctx, forgotten);
            return;
        }
}

static void rejection_tracked(JSContext *c, JSValueConst promise, JSValueConst reason, bool handled,
                              void *opaque)
{
    (void)c, (void)reason, (void)opaque;
    if (handled)
        rejection_forget(promise);
    else if (rejections_count < REJECTIONS_MAX)
        rejections[rejections_count++] = js_dup(promise);
}

/* Tells the console of something that nobody caught; it changes nothing else. Frees `thrown`. */
static void uncaught(const char *label, JSValue thrown)
{
    JSValue arguments[] = { JS_NewString(ctx, label), thrown };
    JSValue done = JS_Call(ctx, boot_uncaught, JS_UNDEFINED, 2, vc(arguments));
    if (JS_IsException(done))
        drop_exception();
    JS_FreeValue(ctx, done);
    JS_FreeValue(ctx, arguments[0]);
    JS_FreeValue(ctx, thrown);
}

static void drain(void)
{
    JSContext *c;
    int state;
    do {
        while ((state = JS_ExecutePendingJob(rt, &c)) != 0)
            if (state < 0)
                uncaught("Uncaught", JS_GetException(ctx));
        while (rejections_count > 0) {
            JSValue promise = js_dup(rejections[0]);
            rejection_forget(promise);
            uncaught("Uncaught (in promise)", JS_PromiseResult(ctx, promise));
            JS_FreeValue(ctx, promise);
        }
    } while (JS_IsJobPending(rt));
}

/* Runs the earliest timer. False if there is none. */
static bool fire_timer(void)
{
    JSValue fired = JS_Call(ctx, boot_fire, JS_UNDEFINED, 0, NULL);
    if (JS_IsException(fired)) {
        uncaught("Uncaught", JS_GetException(ctx));
        return true;
    }
    return JS_VALUE_GET_BOOL(fired);
}

/* What `await` would wait for: the promise itself, or one that follows a thenable; for anything
   that is not an object, undefined. */
static JSValue promise_of(JSValueConst value)
{
    if (!JS_IsObject(value))
        return JS_UNDEFINED;
    if (JS_IsPromise(value))
        return js_dup(value);
    JSValue settle[2], promise = JS_NewPromiseCapability(ctx, settle);
    if (JS_IsException(promise))
        return promise;
    JSValue resolved = JS_Call(ctx, settle[0], JS_UNDEFINED, 1, &value);
    JS_FreeValue(ctx, settle[0]);
    JS_FreeValue(ctx, settle[1]);
    if (!JS_IsException(resolved))
        return promise;
    JS_FreeValue(ctx, promise);
    return resolved;
}

/* Waits for `value` (consumed; may be an exception) as the design's "Determinism" says. Returns the
   value that it settled with, or an exception; *pending is set if it never settles. */
static JSValue settled(JSValue value, bool *pending)
{
    *pending = false;
    JSValue promise = JS_IsException(value) ? value : promise_of(value);
    if (JS_IsException(promise)) {
        JSValue thrown = JS_GetException(ctx);
        JS_FreeValue(ctx, value);
        drain();
        return JS_Throw(ctx, thrown);
    }
    if (JS_IsUndefined(promise)) {
        drain();
        return value;
    }
    JS_FreeValue(ctx, value);
    JS_PromiseMarkAsHandled(ctx, promise);
    rejection_forget(promise);
    drain();
    while (!*pending && JS_PromiseState(ctx, promise) == JS_PROMISE_PENDING) {
        *pending = !fire_timer();
        drain();
    }
    JSValue result = *pending ? JS_UNDEFINED : JS_PromiseResult(ctx, promise);
    bool rejected = JS_PromiseState(ctx, promise) == JS_PROMISE_REJECTED;
    JS_FreeValue(ctx, promise);
    return rejected ? JS_Throw(ctx, result) : result;
}
