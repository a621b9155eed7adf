/* Kernels whose threads can be watched, in the place of those that Numba compiles.
 *
 * All have the parameters chunks, values and counts_out; a chunk counts itself, in an item of its
 * own number, and takes (stop - start) milliseconds. */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { CHUNKS, N_CHUNKS, N_COLUMNS, VALUES, N_VALUES, COUNTS, N_COUNTS };

/* The pool is compiled to create its threads here: as many as MOST_HELPERS says, then no more. */
#undef pthread_create
int pthread_create(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);

int create_thread(pthread_t *thread, const pthread_attr_t *attributes, void *(*start)(void *),
                  void *argument)
{
    static int n_created;
    const char *most = getenv("MOST_HELPERS");
    if (most && n_created >= atoi(most))
        return EAGAIN;
    n_created++;
    return pthread_create(thread, attributes, start, argument);
}

static int is_helper(void) { return syscall(SYS_gettid) != getpid(); }

static void run_chunks(const int64_t *block)
{
    const int64_t *chunks = (const int64_t *)(intptr_t)block[CHUNKS];
    int64_t *counts = (int64_t *)(intptr_t)block[COUNTS];
    for (int64_t s = 0; s < block[N_CHUNKS]; s++, chunks += 3) {
        if (chunks[2] > chunks[1])
            usleep(1000 * (chunks[2] - chunks[1]));
        __atomic_fetch_add(&counts[chunks[0]], 1, __ATOMIC_SEQ_CST);
    }
}

int32_t count(const int64_t *block)
{
    run_chunks(block);
    return 0;
}

/* The thread of each chunk, in the place of its count. */
int32_t tell(const int64_t *block)
{
    const int64_t *chunks = (const int64_t *)(intptr_t)block[CHUNKS];
    int64_t *counts = (int64_t *)(intptr_t)block[COUNTS];
    for (int64_t s = 0; s < block[N_CHUNKS]; s++, chunks += 3) {
        usleep(1000 * (chunks[2] - chunks[1]));
        counts[chunks[0]] = syscall(SYS_gettid);
    }
    return 0;
}

/* Fails in helpers, for one chunk in four: the first of a helper's own where there are 12 for 3. */
int32_t fail(const int64_t *block)
{
    run_chunks(block);
    return is_helper() && *(const int64_t *)(intptr_t)block[CHUNKS] % 4 == 0 ? 5 : 0;
}

/* A team: each thread that joins counts itself, in item 0. */
int32_t team_steps(const int64_t *block)
{
    int64_t *counts = (int64_t *)(intptr_t)block[COUNTS];
    __atomic_fetch_add(&counts[0], 1, __ATOMIC_SEQ_CST);
    usleep(20000);
    return is_helper() ? 6 : 0;
}

/* The same kernel for another level. */
int32_t count_v3(const int64_t *block)
{
    run_chunks(block);
    return 3;
}
