/* Which levels of x86-64 this CPU has, and the system lets programs use. */
#include <cpuid.h>
#include <string.h>

/* Bits of cpuid, as the psABI of x86-64 lists them for its levels. The compiler's own
 * __builtin_cpu_supports("x86-64-v4") is false where zig compiles it. */
static int supports(const char *level)
{
    const unsigned v2_1c = 1u << 0 | 1u << 9 | 1u << 13 | 1u << 19 | 1u << 20 | 1u << 23;
    const unsigned v3_1c = 1u << 12 | 1u << 22 | 1u << 27 | 1u << 28 | 1u << 29;
    const unsigned v3_7b = 1u << 3 | 1u << 5 | 1u << 8;
    const unsigned v4_7b = 1u << 16 | 1u << 17 | 1u << 28 | 1u << 30 | 1u << 31;
    const unsigned v2_81c = 1u << 0, v3_81c = 1u << 5;
    const unsigned xmm_ymm = 0x6, zmm = 0xe0; /* registers that the system saves, in XCR0 */
    unsigned a, b, c, d, one_c, seven_b = 0, extended_c = 0, xcr0 = 0;

    if (!__get_cpuid(1, &a, &b, &one_c, &d) || !__get_cpuid(0x80000001, &a, &b, &extended_c, &d))
        return 0;
    if (__get_cpuid_count(7, 0, &a, &b, &c, &d))
        seven_b = b;
    if (one_c & 1u << 27) /* xgetbv is there */
        __asm__ __volatile__("xgetbv" : "=a"(xcr0), "=d"(d) : "c"(0));
    if ((one_c & v2_1c) != v2_1c || (extended_c & v2_81c) != v2_81c)
        return 0;
    if (!strcmp(level, "v2"))
        return 1;
    if ((one_c & v3_1c) != v3_1c || (extended_c & v3_81c) != v3_81c ||
        (seven_b & v3_7b) != v3_7b || (xcr0 & xmm_ymm) != xmm_ymm)
        return 0;
    if (!strcmp(level, "v3"))
        return 1;
    return !strcmp(level, "v4") && (seven_b & v4_7b) == v4_7b && (xcr0 & zmm) == zmm;
}
