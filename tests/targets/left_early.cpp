// Hazard: frames that allocate are left in every way but by returning: by exceptions, longjmp, pthread_exit (a forced
// unwind) and cancellation of their thread. left_early [nothing]
#include <pthread.h>
#include <setjmp.h>

#include "account.h"

namespace {

constexpr int rounds = 200, depth = 20;
constexpr size_t size = 60;
struct account sum;
bool is_idle;

// Its block is given back however its frame is left, unless nobody is told.
class Held {
  public:
    Held() : block_(is_idle ? nullptr : malloc(size)) {
        if (!is_idle) {
            account_born(&sum, by_malloc, size);
        }
    }
    ~Held() {
        if (!is_idle) {
            free(block_);
            account_gone(&sum, size);
        }
    }
    Held(const Held&) = delete;
    Held& operator=(const Held&) = delete;

  private:
    void* block_;
};

template <typename Leave>
[[gnu::noinline]] void descend(int levels, const Leave& leave) {
    Held held;
    if (levels == 0) {
        leave();
    } else {
        descend(levels - 1, leave);
    }
    asm volatile("");
}

void by_exception() {
    for (int i = 0; i < rounds; i++) {
        try {
            descend(depth, [] { throw 1; });
        } catch (int) {
            Held in_handler;
        }
    }
}

// Nobody gives anything back: these stay.
[[gnu::noinline]] void lose(int levels, jmp_buf& back) {
    if (!is_idle) {
        void* volatile lost = malloc(size);
        account_born(&sum, by_malloc, size);
        (void)lost;
    }
    if (levels == 0) {
        longjmp(back, 1);
    }
    lose(levels - 1, back);
    asm volatile("");
}

void by_longjmp() {
    static int done;  // the jump leaves it alone
    for (done = 0; done < rounds; done++) {
        jmp_buf back;
        if (setjmp(back) == 0) {
            lose(depth, back);
        }
    }
}

void* by_exit(void*) {
    descend(depth, [] { pthread_exit(nullptr); });
    return nullptr;
}

void* by_cancellation(void*) {
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, nullptr);
    pthread_cancel(pthread_self());
    descend(depth, [] {
        pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, nullptr);
        pthread_testcancel();
    });
    return nullptr;
}

void in_threads(void* (*body)(void*), void* expected) {
    for (int i = 0; i < rounds; i++) {
        pthread_t thread;
        void* result = nullptr;
        bool ended = pthread_create(&thread, nullptr, body, nullptr) == 0 && pthread_join(thread, &result) == 0;
        sum.wrong += !ended || result != expected;
    }
}

}  // namespace

int main(int argc, char** argv) {
    is_idle = asked_for_nothing(argc, argv) != 0;
    by_exception();
    by_longjmp();
    in_threads(by_exit, nullptr);
    in_threads(by_cancellation, PTHREAD_CANCELED);
    account_print(&sum);
    return sum.wrong == 0 ? 0 : 1;
}
