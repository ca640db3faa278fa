using NativeHeap.Testing;

namespace NativeHeap.Graph.Tests;

/// <summary>Where a pointer may lie.</summary>
public sealed class RootsTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void registers_of_every_thread_hold_blocks()
    {
        using var program = BlockProgram.C(_folder, """
            #include <pthread.h>
            static pthread_barrier_t barrier;
            static void *spin(void *name) {
                void *block = malloc(96); say((const char *)name, block, 96);
                pthread_barrier_wait(&barrier);
                if (!strcmp((const char *)name, "in_r12"))
                    __asm__ volatile("mov %0, %%r12; xor %%eax, %%eax; xor %0, %0; 1: jmp 1b" : : "r"(block) : "r12", "rax");
                else
                    __asm__ volatile("movq %0, %%xmm15; xor %%eax, %%eax; xor %0, %0; 1: jmp 1b" : : "r"(block) : "xmm15", "rax");
                return NULL;
            }
            static void __attribute__((noinline)) work(void) {
                pthread_t thread;
                pthread_barrier_init(&barrier, NULL, 3);
                pthread_create(&thread, NULL, spin, (void *)"in_r12");
                pthread_create(&thread, NULL, spin, (void *)"in_xmm15");
                pthread_barrier_wait(&barrier);
            }
            """, "-O2", "-pthread");

        var kinds = program.Check();

        Assert.Equal(LeakKind.Reachable, kinds["in_r12"]);
        Assert.Equal(LeakKind.Reachable, kinds["in_xmm15"]);
    }

    [Fact]
    public void thread_local_storage_and_stacks_hold_blocks_and_dead_stacks_do_not()
    {
        using var program = BlockProgram.C(_folder, """
            #include <pthread.h>
            static pthread_barrier_t barrier;
            static pthread_key_t key;
            static __thread void *local;
            static void __attribute__((noinline)) deep(void) {
                void *volatile kept[2000]; // only the far half is used: nearer left-overs may lie within the next call's frame
                void *volatile block = malloc(72); say("dead_frame", block, 72);
                for (int i = 0; i < 1000; i++) kept[i] = block;
                block = NULL;
            }
            static void *ended(void *unused) {
                void *volatile block = malloc(80); say("ended_thread", block, 80);
                return (void)unused, NULL;
            }
            static void *live(void *unused) {
                local = malloc(88); say("tls", local, 88);
                void *specific = malloc(96); say("specific", specific, 96); pthread_setspecific(key, specific);
                void *volatile block = malloc(104); say("stack", block, 104);
                deep();
                pthread_barrier_wait(&barrier);
                pause();
                return (void)unused, block;
            }
            static void __attribute__((noinline)) work(void) {
                pthread_t thread, other;
                pthread_key_create(&key, NULL);
                pthread_barrier_init(&barrier, NULL, 2);
                pthread_create(&thread, NULL, live, NULL);
                pthread_barrier_wait(&barrier);
                pthread_create(&other, NULL, ended, NULL); // its stack is kept for another thread
                pthread_join(other, NULL);
            }
            """, "-O0", "-pthread");

        var kinds = program.Check();

        Assert.Equal(LeakKind.Reachable, kinds["tls"]);
        Assert.Equal(LeakKind.Reachable, kinds["specific"]);
        Assert.Equal(LeakKind.Reachable, kinds["stack"]);
        Assert.Equal(LeakKind.Definite, kinds["dead_frame"]);
        Assert.Equal(LeakKind.Definite, kinds["ended_thread"]);
    }

    [Fact]
    public void a_block_behind_a_page_that_may_not_be_read_is_found()
    {
        using var program = BlockProgram.C(_folder, """
            #include <sys/mman.h>
            static char *volatile area;
            static void __attribute__((noinline)) work(void) {
                area = (char *)malloc(16 * 4096); say("area", area, 16 * 4096);
                char *page = (char *)(((uintptr_t)area + 8191) & ~4095ul);
                void *block = malloc(40); say("behind", block, 40);
                void *under = malloc(48); say("under", under, 48);
                *(void **)(page + 4096) = block;
                *(void **)page = under;
                mprotect(page, 4096, PROT_NONE);
            }
            """);

        var kinds = program.Check();

        Assert.Equal(LeakKind.Reachable, kinds["behind"]);
        Assert.Equal(LeakKind.Reachable, kinds["under"]);
    }

    [Fact]
    public void blocks_of_other_arenas_and_of_mappings_are_held_or_lost()
    {
        using var program = BlockProgram.C(_folder, """
            #include <pthread.h>
            #include <sys/mman.h>
            static void **mapped;
            static void *run(void *unused) {
                void *lost = malloc(56); say("lost_elsewhere", lost, 56);
                void *held = malloc(64); say("held_by_mapping", held, 64); mapped[1000] = held;
                void **parent = (void **)malloc(5000); say("parent", parent, 5000); mapped[7] = parent;
                void *child = malloc(72); say("child", child, 72); parent[600] = child;
                void *freed = malloc(3000); free(freed);
                return (void)unused, NULL;
            }
            static void __attribute__((noinline)) work(void) {
                mapped = (void **)mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
                pthread_t thread;
                pthread_create(&thread, NULL, run, NULL);
                pthread_join(thread, NULL);
            }
            """, "-pthread");

        var kinds = program.Check();

        Assert.Equal(LeakKind.Definite, kinds["lost_elsewhere"]);
        Assert.Equal(LeakKind.Reachable, kinds["held_by_mapping"]);
        Assert.Equal(LeakKind.Reachable, kinds["child"]);
    }
}
