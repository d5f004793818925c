/* The finisher of MurmurHash3 (Appleby, public domain): every bit of a key reaches the low bits of
   its hash, by which tables of a power of two are searched. guest/build.py has the engine use it. */
static inline unsigned mix_bits(unsigned h)
{
    h = (h ^ h >> 16) * 0x85ebca6bu;
    h = (h ^ h >> 13) * 0xc2b2ae35u;
    return h ^ h >> 16;
}
