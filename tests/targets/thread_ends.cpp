// Hazard: threads allocate and free while they end: in destructors of thread_local objects and in every round of the
// destructors of thread-specific data. thread_ends [nothing | THREADS], one thread after the other.
#include <pthread.h>

#include "account.h"

namespace {

constexpr int rounds = 4;  // PTHREAD_DESTRUCTOR_ITERATIONS
struct account sum;
pthread_key_t key;
bool idle;

void* allocate(size_t size) {
    account_born(&sum, by_malloc, size);
    return malloc(size);
}

void release(void* at, size_t size) {
    account_gone(&sum, size);
    free(at);
}

struct Ending {
    void* kept = nullptr;
    ~Ending() {
        if (kept != nullptr) {
            release(kept, 40);
            release(allocate(50), 50);
        }
    }
};

thread_local Ending ending;

struct Rounds {
    int left = rounds;
    void* kept = nullptr;
};
thread_local Rounds thread_rounds;

// Each round frees what the last one kept; the very last block is never freed.
void end_round(void* argument) {
    auto* mine = static_cast<Rounds*>(argument);
    if (mine->kept != nullptr) {
        release(mine->kept, 60);
    }
    mine->kept = allocate(60);
    if (--mine->left > 0) {
        pthread_setspecific(key, mine);
    }
}

void* work(void*) {
    if (!idle) {
        ending.kept = allocate(40);
        pthread_setspecific(key, &thread_rounds);
    } else {
        ending.kept = nullptr;
    }
    return nullptr;
}

}  // namespace

int main(int argc, char** argv) {
    idle = asked_for_nothing(argc, argv);
    int threads = argc > 1 && !idle ? atoi(argv[1]) : 200;
    pthread_key_create(&key, end_round);
    for (int i = 0; i < threads; i++) {
        pthread_t thread;
        sum.wrong += pthread_create(&thread, nullptr, work, nullptr) != 0;
        pthread_join(thread, nullptr);
    }
    account_print(&sum);
    return sum.wrong == 0 ? 0 : 1;
}
