/* The extension `_fastclust_kernels`: launches of kernels that were compiled ahead of time.
 *
 * A kernel is `int32_t entry(const int64_t *block)` (see `emit.py`). The block holds a word for
 * each scalar, and for each array its address and its shape, one parameter after the other. The
 * first parameter of every kernel is `chunks`, rows of (chunk, start, stop).
 *
 *   arguments   are checked against the declarations in the table, and put into the block;
 *   threads     of a pool take the chunks of a launch one by one, or join its team;
 *   the level   of the CPU decides which code of a kernel runs, for levels that were built.
 *
 * What is checked is each argument by itself: its type, its number of axes, its layout. That the
 * extents of several arrays fit each other, and that the ranges in `chunks` lie within them, is
 * for the caller to see to, as it is where Numba compiles the kernels.
 *
 * It is compiled once for all versions of Python (limited API of 3.11), and for NumPy from 1.25 on.
 */
#define Py_LIMITED_API 0x030B0000
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#define NPY_NO_DEPRECATED_API NPY_1_25_API_VERSION
#define NPY_TARGET_VERSION NPY_1_25_API_VERSION
#include <numpy/arrayobject.h>

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>
#include <time.h>

typedef int32_t (*entry_t)(const int64_t *);

typedef struct {
    const char *name;
    char kind;       /* 'f' or 'i' */
    char itemsize;   /* bytes */
    char ndim;       /* 0 for a scalar */
    char is_written;
} parameter_t;

typedef struct {
    const char *name;  /* of the kernel */
    const char *dtype; /* what `real` stands for */
    int n_parameters;
    const parameter_t *parameters;
    int team_word;          /* word of the block with the address of a team's counters, or -1 */
    const entry_t *entries; /* one for each level */
} kernel_t;

/* Written by build.py: KERNELS, N_KERNELS, LEVELS, N_LEVELS, MOST_WORDS, SOURCES, BUILD. */
#include "table.h"

#include "level.h" /* supports(level) */

enum { ADDRESS, N_CHUNKS, N_COLUMNS }; /* the first words of every block: those of `chunks` */

/* Counters of a team (_kernels/launch.py, simd/sizes.py): rows of so many words. */
enum { TAKEN, DONE, OPEN, N_COUNTERS, COUNTER_VALUES = 16 };

/* -- the level of the CPU ---------------------------------------------------------------------- */

static int level_in_use = -1;

/* -- threads ----------------------------------------------------------------------------------- */

/* The thread that launches starts to work at once. Helpers join while there is work, and the
 * launch ends when those that have joined are done: it never waits for one that sleeps.
 *
 * The chunks are divided into ranges, one for each thread. A thread begins with its own, in most
 * passes the same rows, which its caches may still hold, and then helps with those of the others. */

enum { MOST_RANGES = 64, LINE_BYTES = 64 };

typedef struct { /* in a cache line of its own */
    _Alignas(LINE_BYTES) atomic_long next; /* chunk */
    int64_t end;
} range_t;

typedef struct launch {
    entry_t entry;
    const int64_t *block;
    int n_words;
    int is_team;           /* all threads run the whole block; else each takes chunks of its own */
    int n_ranges;
    range_t ranges[MOST_RANGES];
    atomic_int status;     /* 0, or that of a kernel that failed */
    atomic_int n_joined;   /* helpers at work; changed under the lock */
    int n_wanted;          /* helpers that may still join; under the lock */
    struct launch *behind; /* the next in the queue */
} launch_t;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t a_launch_waits = PTHREAD_COND_INITIALIZER;
static pthread_cond_t a_helper_is_done = PTHREAD_COND_INITIALIZER;
static launch_t *queue; /* launches that want helpers */
static int n_helpers, n_sleeping;
static atomic_long n_launches; /* that asked for helpers: to be watched without the lock */

/* How long a thread watches a counter before it sleeps: longer than Python mostly takes between the
 * launches of a fit, so that a helper need not be woken for each. */
enum { PATIENCE_NS = 300000, LOOKS = 64 };

static int64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * (int64_t)1000000000 + t.tv_nsec;
}

/* Whether to go on watching, after so many looks; the clock is read seldom. */
static int is_patient(int *looks, int64_t *until)
{
    __builtin_ia32_pause();
    if (++*looks == 1)
        *until = now_ns() + PATIENCE_NS;
    return *looks % LOOKS || now_ns() < *until;
}

static void divide(launch_t *launch, int n_ranges)
{
    int64_t n_chunks = launch->block[N_CHUNKS];
    launch->n_ranges = n_ranges = n_ranges < MOST_RANGES ? n_ranges : MOST_RANGES;
    for (int i = 0; i < n_ranges; i++) {
        atomic_init(&launch->ranges[i].next, n_chunks * i / n_ranges);
        launch->ranges[i].end = n_chunks * (i + 1) / n_ranges;
    }
}

/* The threads are numbered: 0 is the one that launches, and a helper has its number in the pool, with
 * which it begins with the same range in each launch, whoever joins first. */
static void work_on(launch_t *launch, int thread)
{
    int32_t status = 0;
    if (launch->is_team)
        status = launch->entry(launch->block);
    else {
        int64_t block[MOST_WORDS];
        memcpy(block, launch->block, launch->n_words * sizeof *block);
        block[N_CHUNKS] = 1;
        for (int i = 0; i < launch->n_ranges; i++) {
            range_t *range = &launch->ranges[(thread + i) % launch->n_ranges];
            int64_t chunk;
            while ((chunk = atomic_fetch_add(&range->next, 1)) < range->end) {
                block[ADDRESS] = launch->block[ADDRESS] + 3 * chunk * (int64_t)sizeof *block;
                status |= launch->entry(block);
            }
        }
    }
    if (status)
        atomic_fetch_or(&launch->status, status);
}

/* Join the first launch in the queue, under the lock. */
static launch_t *join(void)
{
    launch_t *launch = queue;
    if (launch) {
        atomic_fetch_add(&launch->n_joined, 1);
        if (--launch->n_wanted == 0)
            queue = launch->behind;
    }
    return launch;
}

static void *help(void *number)
{
    pthread_mutex_lock(&lock);
    for (;;) {
        launch_t *launch = join();
        if (launch) {
            pthread_mutex_unlock(&lock);
            work_on(launch, (int)(intptr_t)number);
            pthread_mutex_lock(&lock);
            if (atomic_fetch_sub(&launch->n_joined, 1) == 1) /* it may be gone after this */
                pthread_cond_broadcast(&a_helper_is_done);
            continue;
        }
        long known = atomic_load(&n_launches);
        pthread_mutex_unlock(&lock);
        int looks = 0;
        int64_t until;
        while (atomic_load(&n_launches) == known && is_patient(&looks, &until))
            ;
        pthread_mutex_lock(&lock);
        while (!queue) {
            n_sleeping++;
            pthread_cond_wait(&a_launch_waits, &lock);
            n_sleeping--;
        }
    }
    return NULL;
}

/* Signals that a thread causes itself: they must find it, or no handler says where it crashed. */
static const int OWN_SIGNALS[] = {SIGABRT, SIGBUS, SIGFPE, SIGILL, SIGSEGV, SIGSYS, SIGTRAP};

/* Start helpers until there are so many, or the system gives no more; under the lock. Signals from
 * elsewhere are left to the threads of Python. */
static void start_helpers(int wanted)
{
    pthread_attr_t attributes;
    pthread_t thread;
    sigset_t blocked, before;
    if (n_helpers >= wanted || pthread_attr_init(&attributes))
        return;
    sigfillset(&blocked);
    for (size_t i = 0; i < sizeof OWN_SIGNALS / sizeof *OWN_SIGNALS; i++)
        sigdelset(&blocked, OWN_SIGNALS[i]);
    pthread_sigmask(SIG_SETMASK, &blocked, &before);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    while (n_helpers < wanted &&
           !pthread_create(&thread, &attributes, help, (void *)(intptr_t)(n_helpers + 1)))
        n_helpers++;
    pthread_attr_destroy(&attributes);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

static void work_with_helpers(launch_t *launch, int n_wanted)
{
    launch_t **place;
    pthread_mutex_lock(&lock);
    start_helpers(n_wanted);
    launch->n_wanted = n_wanted;
    for (place = &queue; *place; place = &(*place)->behind)
        ;
    *place = launch;
    atomic_fetch_add(&n_launches, 1);
    for (int i = 0; i < n_wanted && i < n_sleeping; i++)
        pthread_cond_signal(&a_launch_waits);
    pthread_mutex_unlock(&lock);

    work_on(launch, 0);

    pthread_mutex_lock(&lock); /* nobody joins any more */
    for (place = &queue; *place; place = &(*place)->behind)
        if (*place == launch) {
            *place = launch->behind;
            break;
        }
    pthread_mutex_unlock(&lock);
    int looks = 0;
    int64_t until;
    while (atomic_load(&launch->n_joined) && is_patient(&looks, &until))
        ;
    pthread_mutex_lock(&lock); /* also where none is at work: the last may hold the lock still */
    while (atomic_load(&launch->n_joined))
        pthread_cond_wait(&a_helper_is_done, &lock);
    pthread_mutex_unlock(&lock);
}

/* A forked child has one thread, which was not in a launch: it starts with no helpers. */
static void before_fork(void) { pthread_mutex_lock(&lock); }
static void after_fork_in_parent(void) { pthread_mutex_unlock(&lock); }
static void after_fork_in_child(void)
{
    pthread_mutex_init(&lock, NULL);
    pthread_cond_init(&a_launch_waits, NULL);
    pthread_cond_init(&a_helper_is_done, NULL);
    queue = NULL;
    n_helpers = n_sleeping = 0;
}

static int run(const kernel_t *kernel, const int64_t *block, int n_words, long n_threads)
{
    entry_t entry = kernel->entries[level_in_use];
    int64_t n_turns = block[N_CHUNKS];
    int is_team = kernel->team_word >= 0;
    if (is_team) {
        int64_t *team = (int64_t *)(intptr_t)block[kernel->team_word];
        n_turns = n_turns > 0 ? n_turns : 1; /* without chunks, one for the end of the step */
        team[TAKEN * COUNTER_VALUES] = team[DONE * COUNTER_VALUES] = 0;
        team[OPEN * COUNTER_VALUES] = n_turns;
    }
    if (n_threads > n_turns)
        n_threads = (long)n_turns;
    if (n_threads <= 1)
        return entry(block);
    launch_t launch;
    launch.entry = entry, launch.block = block, launch.n_words = n_words, launch.is_team = is_team;
    atomic_init(&launch.status, 0);
    atomic_init(&launch.n_joined, 0);
    launch.behind = NULL;
    divide(&launch, (int)n_threads);
    work_with_helpers(&launch, (int)n_threads - 1);
    return atomic_load(&launch.status);
}

/* -- arguments --------------------------------------------------------------------------------- */

/* What an argument is not: NULL if it fits. */
static const char *problem_of(PyObject *value, const parameter_t *parameter)
{
    if (!PyArray_Check(value))
        return "an array";
    PyArrayObject *array = (PyArrayObject *)value;
    if (PyArray_NDIM(array) != parameter->ndim)
        return "of as many axes";
    PyArray_Descr *descr = PyArray_DESCR(array);
    if (descr->kind != parameter->kind || PyDataType_ELSIZE(descr) != parameter->itemsize)
        return "of this type";
    int flags = PyArray_FLAGS(array);
    if ((flags & NPY_ARRAY_CARRAY_RO) != NPY_ARRAY_CARRAY_RO || !PyArray_ISNOTSWAPPED(array))
        return "C-contiguous, aligned and in the byte order of this machine";
    if (parameter->is_written && !(flags & NPY_ARRAY_WRITEABLE))
        return "writable";
    return NULL;
}

static int put_array(const kernel_t *kernel, const parameter_t *parameter, PyObject *value,
                     int64_t *block, int *n_words)
{
    const char *problem = problem_of(value, parameter);
    if (problem) {
        PyErr_Format(PyExc_TypeError, "%s: %s is declared as %s%d with %d axes, but not %s",
                     kernel->name, parameter->name, parameter->kind == 'f' ? "float" : "int",
                     8 * parameter->itemsize, parameter->ndim, problem);
        return -1;
    }
    PyArrayObject *array = (PyArrayObject *)value;
    block[(*n_words)++] = (int64_t)(intptr_t)PyArray_DATA(array);
    for (int axis = 0; axis < parameter->ndim; axis++)
        block[(*n_words)++] = PyArray_DIM(array, axis);
    return 0;
}

static int put_scalar(const kernel_t *kernel, const parameter_t *parameter, PyObject *value,
                      int64_t *block, int *n_words)
{
    if (parameter->kind == 'f') {
        double number = PyFloat_AsDouble(value);
        memcpy(&block[*n_words], &number, sizeof number);
    }
    else
        block[*n_words] = PyLong_AsLongLong(value); /* refuses a float */
    (*n_words)++;
    if (!PyErr_Occurred())
        return 0;
    if (PyErr_ExceptionMatches(PyExc_TypeError))
        PyErr_Format(PyExc_TypeError, "%s: %s is declared as %s, but not a number of this type",
                     kernel->name, parameter->name, parameter->kind == 'f' ? "float64" : "int64");
    return -1;
}

/* launch(number, n_threads, chunks, *args) */
static PyObject *launch(PyObject *module, PyObject *const *args, Py_ssize_t n_args)
{
    (void)module;
    if (n_args < 2)
        return PyErr_Format(PyExc_TypeError, "a kernel and a number of threads are missing");
    long number = PyLong_AsLong(args[0]);
    long n_threads = PyErr_Occurred() ? 0 : PyLong_AsLong(args[1]);
    if (PyErr_Occurred())
        return NULL;
    if (number < 0 || number >= N_KERNELS || level_in_use < 0)
        return PyErr_Format(PyExc_ValueError, "no such kernel, or no level is in use");
    const kernel_t *kernel = &KERNELS[number];
    args += 2;
    n_args -= 2;
    if (n_args != kernel->n_parameters)
        return PyErr_Format(PyExc_TypeError, "%s takes %d arguments, not %zd", kernel->name,
                            kernel->n_parameters, n_args);
    int64_t block[MOST_WORDS];
    int n_words = 0;
    for (Py_ssize_t i = 0; i < n_args; i++) {
        const parameter_t *parameter = &kernel->parameters[i];
        if ((parameter->ndim ? put_array : put_scalar)(kernel, parameter, args[i], block, &n_words))
            return NULL;
    }
    if (block[N_COLUMNS] != 3)
        return PyErr_Format(PyExc_TypeError, "%s: chunks have three columns", kernel->name);
    int team = kernel->team_word;
    if (team >= 0 && (block[team + 1] != N_COUNTERS || block[team + 2] != COUNTER_VALUES))
        return PyErr_Format(PyExc_TypeError, "%s: team_out has %d x %d counters", kernel->name,
                            N_COUNTERS, COUNTER_VALUES);
    int status;
    Py_BEGIN_ALLOW_THREADS
    status = run(kernel, block, n_words, n_threads);
    Py_END_ALLOW_THREADS
    if (status)
        return PyErr_Format(PyExc_RuntimeError, "%s failed with status %d", kernel->name, status);
    Py_RETURN_NONE;
}

/* -- the module -------------------------------------------------------------------------------- */

/* find(kernel, dtype): its number, or None */
static PyObject *find(PyObject *module, PyObject *args)
{
    (void)module;
    const char *name, *dtype;
    if (!PyArg_ParseTuple(args, "ss", &name, &dtype))
        return NULL;
    for (int i = 0; i < N_KERNELS; i++)
        if (!strcmp(KERNELS[i].name, name) && !strcmp(KERNELS[i].dtype, dtype))
            return PyLong_FromLong(i);
    Py_RETURN_NONE;
}

/* kernels(): a list of (name, dtype, [(parameter, kind, itemsize, ndim, is_written), ...]) */
static PyObject *kernels(PyObject *module, PyObject *unused)
{
    (void)module, (void)unused;
    PyObject *list = PyList_New(0);
    for (int i = 0; list && i < N_KERNELS; i++) {
        PyObject *parameters = PyList_New(0), *kernel = NULL;
        for (int j = 0; parameters && j < KERNELS[i].n_parameters; j++) {
            const parameter_t *p = &KERNELS[i].parameters[j];
            PyObject *each = Py_BuildValue("(sCiiO)", p->name, p->kind, p->itemsize, p->ndim,
                                           p->is_written ? Py_True : Py_False);
            if (!each || PyList_Append(parameters, each))
                Py_CLEAR(parameters);
            Py_XDECREF(each);
        }
        if (parameters)
            kernel = Py_BuildValue("(ssN)", KERNELS[i].name, KERNELS[i].dtype, parameters);
        if (!kernel || PyList_Append(list, kernel))
            Py_CLEAR(list);
        Py_XDECREF(kernel);
    }
    return list;
}

/* supported_levels(): those that were built and that this CPU has, the best last */
static PyObject *supported_levels(PyObject *module, PyObject *unused)
{
    (void)module, (void)unused;
    PyObject *list = PyList_New(0);
    for (int i = 0; list && i < N_LEVELS; i++) {
        if (!supports(LEVELS[i]))
            continue;
        PyObject *level = PyUnicode_FromString(LEVELS[i]);
        if (!level || PyList_Append(list, level))
            Py_CLEAR(list);
        Py_XDECREF(level);
    }
    return list;
}

/* use(level): what runs from now on */
static PyObject *use(PyObject *module, PyObject *args)
{
    (void)module;
    const char *level;
    if (!PyArg_ParseTuple(args, "s", &level))
        return NULL;
    for (int i = 0; i < N_LEVELS; i++)
        if (!strcmp(LEVELS[i], level) && supports(level)) {
            level_in_use = i;
            Py_RETURN_NONE;
        }
    return PyErr_Format(PyExc_ValueError, "level %s is not built, or not this CPU's", level);
}

static PyMethodDef methods[] = {
    {"find", find, METH_VARARGS, "Number of a kernel for a real type."},
    {"kernels", kernels, METH_NOARGS, "All kernels, with their parameters."},
    {"launch", (PyCFunction)(void (*)(void))launch, METH_FASTCALL, "Run a kernel."},
    {"supported_levels", supported_levels, METH_NOARGS, "Levels built that this CPU has."},
    {"use", use, METH_VARARGS, "Choose a level."},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "_fastclust_kernels",
    .m_doc = "Kernels of fastclust, compiled ahead of time.",
    .m_size = -1,
    .m_methods = methods,
};

PyMODINIT_FUNC PyInit__fastclust_kernels(void)
{
    import_array();
    static int is_ready_to_fork; /* a second interpreter, or another name, initialises it again */
    PyObject *module = PyModule_Create(&definition), *levels = NULL;
    if (!module || PyModule_AddStringConstant(module, "SOURCES", SOURCES) ||
        PyModule_AddStringConstant(module, "BUILD", BUILD) || !(levels = PyTuple_New(N_LEVELS)))
        goto failed;
    for (int i = 0; i < N_LEVELS; i++) {
        PyObject *level = PyUnicode_FromString(LEVELS[i]);
        if (!level || PyTuple_SetItem(levels, i, level))
            goto failed;
    }
    if (PyModule_AddObjectRef(module, "LEVELS", levels))
        goto failed;
    if (!is_ready_to_fork &&
        pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child)) {
        PyErr_NoMemory();
        goto failed;
    }
    is_ready_to_fork = 1;
    Py_DECREF(levels);
    return module;
failed:
    Py_XDECREF(levels);
    Py_XDECREF(module);
    return NULL;
}
