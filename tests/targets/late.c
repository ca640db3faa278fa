// Hazard: the profiler comes while the program runs. It is loaded by the program itself, attached by a call, and
// detached again. Blocks of 70,000 to 70,999 bytes are those that the account counts: they are born after the attach
// has returned. Whatever else is allocated meanwhile is nobody's business.
//
//   late alone SHIM SETTINGS    one thread: every way to malloc, exact
//   late crowd SHIM SETTINGS    four threads allocate before, during and after; a library comes later, by dlopen
//   late again SHIM SETTINGS N  four threads allocate while the profiler comes and goes N times
//   late fork SHIM SETTINGS     the process forks while it is attached, and once more when it is not
//   late class SHIM SETTINGS    as a .NET runtime does it
//   late load SHIM SETTINGS     it is only loaded
//   late call SHIM SETTINGS     prints the results of attaching twice and detaching twice
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/wait.h>
#include <ucontext.h>

#include "account.h"
#include "late_library.h"

enum { threads = 4, table = 64, marked = 70000, stack_bytes = 32 << 10, plugin_blocks = 10 };

static int (*attach)(const char*);
static int (*detach)(void);
static const char* settings;
static struct account sum;

static void* found(void* handle, const char* name) {
    void* symbol = dlsym(handle, name);
    if (symbol == NULL) {
        _exit(98);
    }
    return symbol;
}

// ---- on a small stack, as an injector has it; errno is to stay ----

static ucontext_t caller, callee;
static unsigned char stack[stack_bytes] __attribute__((aligned(16)));
static int result;

static void on_small_stack(void) {
    errno = 77;
    result = attach(settings);
    sum.wrong += errno != 77;
}

static size_t attach_on_small_stack(void) {
    memset(stack, 0xA5, sizeof stack);
    getcontext(&callee);
    callee.uc_stack.ss_sp = stack;
    callee.uc_stack.ss_size = sizeof stack;
    callee.uc_link = &caller;
    makecontext(&callee, on_small_stack, 0);
    swapcontext(&caller, &callee);
    size_t unused = 0;
    while (unused < sizeof stack && stack[unused] == 0xA5) {
        unused++;
    }
    return sizeof stack - unused;
}

// ---- the ways to malloc ----

typedef void* allocator(size_t);

static allocator* pointer = malloc;
static allocator* const constant = malloc;
static void* (*volatile zeroed)(size_t, size_t) = calloc;

static void* directly(size_t bytes) {
    return malloc(bytes);
}
static void* by_pointer(size_t bytes) {
    return (*(allocator* volatile*)&pointer)(bytes);
}
static void* by_constant(size_t bytes) {
    return (*(allocator* const volatile*)&constant)(bytes);
}
static void* by_zeroed(size_t bytes) {
    return zeroed(1, bytes);
}
static void* by_lazy_variable(size_t bytes) {
    return late_lazy_variable(bytes);
}
static void* by_bound_variable(size_t bytes) {
    return late_bound_variable(bytes);
}
static void* by_lazy_table(size_t bytes) {
    return late_lazy_functions()->allocate(bytes);
}
static void* by_bound_table(size_t bytes) {
    return late_bound_functions()->allocate_zeroed(1, bytes);
}
static void* by_resize(size_t bytes) {
    return late_bound_functions()->resize(NULL, bytes);
}
static void* by_symbol(size_t bytes) {
    allocator* symbol = (allocator*)found(RTLD_DEFAULT, "malloc");
    return symbol(bytes);
}
static void* by_array(size_t bytes) {
    return reallocarray(NULL, bytes, 1);
}
static void* aligned(size_t bytes) {
    void* block = NULL;
    return posix_memalign(&block, 64, bytes) == 0 ? block : NULL;
}
static void* by_strndup(size_t bytes) {
    static char text[marked + 1000];
    memset(text, 'x', bytes - 1);
    return strndup(text, bytes - 1);  // libc's own call
}

static allocator* const ways[] = {
    directly,      by_pointer,     by_constant, by_zeroed,          by_lazy_variable,    by_bound_variable,
    by_lazy_table, by_bound_table, by_resize,   late_lazy_allocate, late_bound_allocate, by_array,
    aligned,       by_strndup,     by_symbol};
enum { way_count = sizeof ways / sizeof ways[0] };

static void release(size_t way, void* block) {
    switch (way % 4) {
        case 0:
            free(block);
            break;
        case 1:
            late_lazy_release(block);
            break;
        case 2:
            late_bound_release(block);
            break;
        default:
            late_bound_functions()->release(block);
            break;
    }
}

// ---- alone ----

static void alone(void) {
    void* old[100];
    for (int i = 0; i < 100; i++) {
        old[i] = malloc(100);
    }
    size_t used = attach_on_small_stack();
    sum.wrong += result != 0;
    void* blocks[way_count];
    for (int i = 0; i < way_count; i++) {
        blocks[i] = ways[i](marked + i);
        account_born(&sum, by_malloc, marked + i);
    }
    for (int i = 0; i < 40; i++) {  // earlier frees
        release(i, old[i]);
    }
    for (int i = 40; i < 70; i++) {  // births, with an earlier free each
        old[i] = realloc(old[i], marked);
        account_born(&sum, by_realloc, marked);
    }
    for (int i = 0; i < way_count; i += 2) {
        release(i, blocks[i]);
        account_gone(&sum, marked + i);
    }
    for (int i = 40; i < 50; i++) {
        free(old[i]);
        account_gone(&sum, marked);
    }
    sum.wrong += detach() != 0;
    for (int i = 0; i < way_count; i++) {  // nobody hears of it
        release(i, ways[i](marked));
    }
    for (int i = 50; i < 100; i++) {
        free(old[i]);
    }
    char line[64];
    int length = snprintf(line, sizeof line, "{\"stack_bytes\":%zu,\"ways\":%d}\n", used, way_count);
    sum.wrong += write(1, line, length) != length;
}

// ---- a crowd ----

static atomic_bool done, counts;
static atomic_int counting;
static pthread_barrier_t together;

struct worker {
    pthread_t id;
    struct account account;
    uint64_t random;
};

static void* work(void* argument) {
    struct worker* me = argument;
    struct block blocks[table] = {0};
    size_t made_by[table] = {0};
    bool counted = false;
    pthread_barrier_wait(&together);
    while (!atomic_load(&done)) {
        if (!counted && atomic_load(&counts)) {
            counted = true;
            atomic_fetch_add(&counting, 1);
        }
        size_t i = next_random(&me->random) % table;
        struct block* b = &blocks[i];
        size_t size = counted ? marked + next_random(&me->random) % 1000 : 1 + next_random(&me->random) % 2000;
        if (b->at != NULL && next_random(&me->random) % 4 == 0) {
            if (b->size >= marked) {
                account_gone(&me->account, b->size);
            }
            b->at = realloc(b->at, size);
        } else {
            if (b->at != NULL && b->size >= marked) {
                account_gone(&me->account, b->size);
            }
            release(made_by[i], b->at);
            made_by[i] = next_random(&me->random) % (way_count - 1);  // dlsym waits for the loader's lock
            b->at = ways[made_by[i]](size);
        }
        b->size = size;
        if (size >= marked) {
            account_born(&me->account, by_malloc, size);
        }
    }
    pthread_barrier_wait(&together);
    return NULL;
}

static struct worker workers[threads];

static void begin_work(void) {
    pthread_barrier_init(&together, NULL, threads + 1);
    for (int i = 0; i < threads; i++) {
        workers[i].random = 77777 + i;
        pthread_create(&workers[i].id, NULL, work, &workers[i]);
    }
    pthread_barrier_wait(&together);
}

// They have stopped, but not ended.
static void stop_work(void) {
    atomic_store(&done, true);
    pthread_barrier_wait(&together);
}

static void end_work(void) {
    for (int i = 0; i < threads; i++) {
        pthread_join(workers[i].id, NULL);
        account_add(&sum, &workers[i].account);
    }
}

static void come_and_go(void) {
    void* plugin = dlopen(LATE_PLUGIN, RTLD_NOW | RTLD_LOCAL);
    allocator* plugged = (allocator*)found(plugin, "plugin_allocate");
    void* own_libc = dlopen(LATE_PLUGIN, RTLD_NOW | RTLD_LOCAL | RTLD_DEEPBIND);
    account_born(&sum, by_malloc, marked + 1);
    for (int i = 0; i < plugin_blocks; i++) {
        void* block = plugged(marked);
        account_born(&sum, by_malloc, marked);
        if (i % 2 == 0) {
            free(block);
            account_gone(&sum, marked);
        }
    }
    dlclose(own_libc);
    dlclose(plugin);
    account_gone(&sum, marked + 1);
}

static void crowd(void) {
    begin_work();
    sum.wrong += attach(settings) != 0;
    atomic_store(&counts, true);
    while (atomic_load(&counting) < threads) {
        sched_yield();
    }
    come_and_go();
    stop_work();
    sum.wrong += detach() != 0;
    end_work();
}

static void again(int times) {
    begin_work();
    for (int i = 0; i < times; i++) {
        sum.wrong += attach(settings) != 0;
        for (int k = 0; k < 100; k++) {
            void* block = malloc(marked);
            account_born(&sum, by_malloc, marked);
            free(block);
            account_gone(&sum, marked);
        }
        sum.wrong += detach() != 0;
    }
    stop_work();
    end_work();
}

// ---- the others ----

static void forked(void) {
    sum.wrong += attach(settings) != 0;
    void* old = malloc(100);
    for (int i = 0; i < 2; i++) {
        pid_t pid = fork();
        if (pid == 0) {
            for (int k = 0; k < 10; k++) {
                void* block = malloc(marked);
                if (k % 2 == 0) {
                    free(block);
                }
            }
            free(old);
            _exit(0);
        }
        int status = 1;
        sum.wrong += pid < 0 || waitpid(pid, &status, 0) != pid || status != 0;
        if (i == 0) {
            sum.wrong += detach() != 0;
        }
    }
    free(old);
}

struct object {
    int32_t (**functions)();
};

static int32_t initialise(void* handle, const void* data, uint32_t bytes) {
    static const uint32_t of_class[4] = {0xC0E5A1F7, 0x4D283B64, 0x686E579A, 0xAA706165};
    static const uint32_t of_factory[4] = {1, 0, 0xC0, 0x46000000};
    static const uint32_t of_callback[4] = {0x8A8CC829, 0x49FECCF2, 0x020FAEBB, 0x1A072822};
    int32_t (*get)(const void*, const void*, void**) = found(handle, "DllGetClassObject");
    struct object *factory = NULL, *callback = NULL;
    static const uint32_t of_another[4] = {1, 2, 3, 4};
    sum.wrong += get(of_another, of_factory, (void**)&factory) == 0 || factory != NULL;
    sum.wrong += get(of_class, of_factory, (void**)&factory) != 0;
    sum.wrong += factory->functions[3](factory, NULL, of_callback, (void**)&callback) != 0;
    int32_t answer = callback->functions[80](callback, NULL, data, bytes);
    sum.wrong += callback->functions[2](callback) < 0;
    return answer;
}

static void by_class(void* handle) {
    sum.wrong += (uint32_t)initialise(handle, settings, strlen(settings)) != 0x80131375;
    void* block = malloc(marked);
    account_born(&sum, by_malloc, marked);
    sum.wrong += (uint32_t)initialise(handle, settings, strlen(settings)) != 0xA0040201;
    sum.wrong += (uint32_t)initialise(handle, "detach", 6) != 0x80131375;
    sum.wrong += (uint32_t)initialise(handle, "detach", 6) != 0xA0040202;
    sum.wrong += (uint32_t)initialise(handle, "NATIVEHEAP_", 11) != 0xA0040203;
    free(block);
}

static void call(void) {
    int results[] = {attach(settings), attach(settings), detach(), detach()};
    char line[128];
    int length = snprintf(line, sizeof line, "{\"attached\":%d,\"again\":%d,\"detached\":%d,\"gone\":%d}\n", results[0],
                          results[1], results[2], results[3]);
    sum.wrong += write(1, line, length) != length;
}

int main(int argc, char** argv) {
    if (argc < 4) {
        return 2;
    }
    settings = argv[3];
    void* handle = dlopen(argv[2], RTLD_NOW | RTLD_LOCAL);
    if (handle == NULL) {
        return 97;
    }
    attach = found(handle, "nativeheap_attach");
    detach = found(handle, "nativeheap_detach");
    if (strcmp(argv[1], "alone") == 0) {
        alone();
    } else if (strcmp(argv[1], "crowd") == 0) {
        crowd();
    } else if (strcmp(argv[1], "again") == 0) {
        again(argc > 4 ? atoi(argv[4]) : 100);
    } else if (strcmp(argv[1], "fork") == 0) {
        forked();
    } else if (strcmp(argv[1], "class") == 0) {
        by_class(handle);
    } else if (strcmp(argv[1], "call") == 0) {
        call();
    }
    account_print(&sum);
    return sum.wrong != 0;
}
