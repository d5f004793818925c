/* The JavaScript heap and its limit. Going over it stops the entry on the spot, as running out of gas
   does, and the host undoes the call: an "out of memory" that a script could catch would leave it,
   and the engine, between two states. The count is of what the C library gave out, so that it is the
   same wherever this module runs. */

#define BLOCK_OVERHEAD 8

static size_t heap_bytes, heap_bytes_max = SIZE_MAX;

static void *heap_counted(void *block)
{
    if (!block)
        __builtin_trap();
    heap_bytes += malloc_usable_size(block) + BLOCK_OVERHEAD;
    return block;
}

/* Stops the entry if `size` bytes more are too many. */
static void heap_require(size_t size)
{
    if (heap_bytes > heap_bytes_max || size > heap_bytes_max - heap_bytes)
        __builtin_trap();
}

static void *heap_malloc(void *opaque, size_t size)
{
    (void)opaque;
    heap_require(size);
    return heap_counted(malloc(size));
}

static void *heap_calloc(void *opaque, size_t count, size_t size)
{
    size_t bytes;
    (void)opaque;
    if (__builtin_mul_overflow(count, size, &bytes))
        __builtin_trap();
    heap_require(bytes);
    return heap_counted(calloc(count, size));
}

static void heap_free(void *opaque, void *block)
{
    (void)opaque;
    if (block)
        heap_bytes -= malloc_usable_size(block) + BLOCK_OVERHEAD;
    free(block);
}

static void *heap_realloc(void *opaque, void *block, size_t size)
{
    if (!block)
        return heap_malloc(opaque, size);
    size_t before = malloc_usable_size(block);
    if (size > before)
        heap_require(size - before);
    heap_bytes -= before + BLOCK_OVERHEAD;
    return heap_counted(realloc(block, size));
}

static const JSMallocFunctions heap_functions = {
    heap_calloc, heap_malloc, heap_free, heap_realloc, js__malloc_usable_size,
};
