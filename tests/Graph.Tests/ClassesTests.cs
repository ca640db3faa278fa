using NativeHeap.Testing;

namespace NativeHeap.Graph.Tests;

/// <summary>What a block is called, on programs that are held while they wait.</summary>
public sealed class ClassesTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("-O0")]
    [InlineData("-O2")]
    public void blocks_are_what_points_to_them(string optimization)
    {
        using var program = BlockProgram.C(_folder, """
            static void *volatile held, *volatile inside, *volatile large_held;
            static void __attribute__((noinline)) work(void) {
                void *block = malloc(100); say("lost", block, 100);
                held = malloc(40); say("held", held, 40);
                void **child = (void **)malloc(24); say("held_by_held", child, 24); *(void **)held = child;
                char *middle = (char *)malloc(200); say("inside", middle, 200); inside = middle + 50;
                void **of_middle = (void **)malloc(32); say("of_inside", of_middle, 32); *(void **)middle = of_middle;
                void **parent = (void **)malloc(48); say("parent", parent, 48);
                void **indirect = (void **)malloc(56); say("indirect", indirect, 56); parent[2] = indirect;
                void **deep = (void **)malloc(64); say("deep", deep, 64); indirect[1] = (char *)deep + 8;
                void *large = malloc(1 << 20); say("large_lost", large, 1 << 20);
                large_held = malloc(2 << 20); say("large_held", large_held, 2 << 20);
                void *far = malloc(8); say("held_by_large", far, 8); ((void **)large_held)[200000] = far;
                void *zero = malloc(0); say("zero_lost", zero, 0);
            }
            """, optimization);

        var kinds = program.Check();

        Assert.Equal(LeakKind.Definite, kinds["lost"]);
        Assert.Equal(LeakKind.Reachable, kinds["held"]);
        Assert.Equal(LeakKind.Reachable, kinds["held_by_held"]);
        Assert.Equal(LeakKind.Possible, kinds["inside"]);
        Assert.Equal(LeakKind.Possible, kinds["of_inside"]);
        Assert.Equal(LeakKind.Definite, kinds["parent"]);
        Assert.Equal(LeakKind.Indirect, kinds["indirect"]);
        Assert.Equal(LeakKind.Indirect, kinds["deep"]);
        Assert.Equal(LeakKind.Definite, kinds["large_lost"]);
        Assert.Equal(LeakKind.Reachable, kinds["large_held"]);
        Assert.Equal(LeakKind.Reachable, kinds["held_by_large"]);
        Assert.Equal(LeakKind.Definite, kinds["zero_lost"]);
    }

    [Fact]
    public void a_large_block_holds_by_any_of_its_pages_and_a_false_size_does_no_harm()
    {
        using var program = BlockProgram.C(_folder, """
            #include <sys/mman.h>
            static void *volatile touched_here_and_there, *volatile shared;
            static void __attribute__((noinline)) work(void) {
                char *large = (char *)malloc(8 << 20); say("large", large, (size_t)1 << 47); touched_here_and_there = large;
                void *first = malloc(24), *last = malloc(24), *in_shared = malloc(24);
                say("first", first, 24); say("last", last, 24); say("in_shared", in_shared, 24);
                ((void **)large)[1] = first; ((void **)(large + (7 << 20)))[3] = last;
                shared = mmap(0, 1 << 20, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
                say("shared", shared, 1 << 20); ((void **)shared)[70000] = in_shared;
            }
            """, "-O1");

        Assert.All(program.Check().Values, kind => Assert.Equal(LeakKind.Reachable, kind));
    }

    [Fact]
    public void of_a_possibly_lost_block_the_pointer_is_told()
    {
        using var program = BlockProgram.C(_folder, """
            static void *volatile inside;
            static void __attribute__((noinline)) work(void) {
                char **middle = (char **)malloc(200); say("middle", middle, 200); inside = (char *)middle + 50;
                middle[7] = (char *)malloc(32); say("at_start", middle[7], 32);
                middle[9] = (char *)malloc(40) + 16; say("in_midst", middle[9] - 16, 40);
                middle[11] = middle[7];
            }
            """, "-O1");

        var found = program.Find().Blocks.ToDictionary(block => program.NameOf(block.Stack), block => block.PointedFrom);

        Assert.Equal(program.Address("middle") + (7 * 8), found["at_start"]);
        Assert.Equal(program.Address("middle") + (9 * 8), found["in_midst"]);
        Assert.NotEqual(0UL, found["middle"]);
    }

    [Fact]
    public void objects_of_classes_are_named_by_their_virtual_tables_and_nothing_else_is()
    {
        using var program = BlockProgram.Cpp(_folder, """
            struct Shape { virtual ~Shape() {} long a = 1; };
            struct Circle : Shape { long b = 2; };
            static Shape *volatile kept; static long data;
            static void __attribute__((noinline)) work(void) {
                say("circle", new Circle, sizeof(Circle));
                say("shapes", (long *)new Shape[3] - 1, 3 * sizeof(Shape) + 8);
                kept = new Shape; say("kept", kept, sizeof(Shape));
                void **plain = (void **)malloc(24); plain[0] = &data; say("plain", plain, 24);
            }
            """);

        var found = program.Find();
        using var held = program.Hold();
        var graph = LeakTypes.Name(found, held);
        var read = LeakGraphFormat.Read(LeakGraphFormat.Write(graph), 100);

        Assert.Equal(graph.Blocks.Select(block => block.Type), read.Blocks.Select(block => block.Type));
        var types = read.Blocks.ToDictionary(block => program.NameOf(block.Stack), block => block.Type);
        Assert.Equal(("Circle", "Shape", null), (types["circle"], types["shapes"], types["plain"]));
        Assert.Equal("Shape", Assert.Single(read.Reachable).Type);
    }

    [Fact]
    public void free_memory_of_the_allocator_holds_nothing()
    {
        using var program = BlockProgram.C(_folder, """
            static void *kept[64];
            static void __attribute__((noinline)) work(void) {
                static const size_t sizes[] = {24, 120, 600, 3000, 100000};
                static const char *names[] = {"by_24", "by_120", "by_600", "by_3000", "by_100000"};
                for (int i = 0; i < 5; i++) {
                    void *lost = calloc(1, 40); say(names[i], lost, 40);
                    for (int k = 0; k < 12; k++) {
                        void **holder = (void **)malloc(sizes[i]);
                        void *apart = malloc(16);
                        for (size_t w = 0; w < sizes[i] / 8; w++) holder[w] = lost;
                        free(holder);
                        free(apart);
                    }
                }
            }
            """, "-O0");

        Assert.All(program.Check().Values, kind => Assert.Equal(LeakKind.Definite, kind));
    }

    [Fact]
    public void memory_in_use_that_nobody_saw_allocated_may_hold_blocks()
    {
        using var program = BlockProgram.C(_folder, """
            static void *root;
            static void __attribute__((noinline)) work(void) {
                void **unseen = (void **)malloc(64); say("unseen", unseen, 64); root = unseen;
                void *block = malloc(64); say("held", block, 64); unseen[3] = block;
            }
            """);

        Assert.Equal(LeakKind.Reachable, program.Check("unseen")["held"]);
    }

    [Fact]
    public void a_ring_is_one_leak_and_a_pointer_to_itself_is_none()
    {
        using var program = BlockProgram.C(_folder, """
            static void __attribute__((noinline)) work(void) {
                void **a = (void **)malloc(32), **b = (void **)malloc(40), **c = (void **)malloc(48), **tail = (void **)malloc(56);
                say("a", a, 32); say("b", b, 40); say("c", c, 48); say("tail", tail, 56);
                a[0] = b; b[1] = c; c[2] = a; b[2] = tail;
                void **self = (void **)malloc(64); say("self", self, 64); self[0] = self;
            }
            """);

        var graph = program.Find();
        var classes = LeakClasses.Of(graph);

        Assert.Equal(2, classes.Leaders.Count);
        var ring = Assert.Single(classes.Leaders, leader => leader.Cycle.Count > 0);
        Assert.Equal(["a", "b", "c"], ring.Cycle.Select(block => program.NameOf(graph.Blocks[block].Stack)).Order());
        Assert.Equal((40 + 48 + 56, 3), (ring.Bytes, ring.Blocks));
    }

    [Fact]
    public void what_hangs_off_a_suppressed_block_goes_with_it()
    {
        using var program = BlockProgram.C(_folder, """
            static void __attribute__((noinline)) work(void) {
                void **known = (void **)malloc(32), **child = (void **)malloc(40), **other = (void **)malloc(48);
                say("known", known, 32); say("child", child, 40); say("other", other, 48);
                known[0] = child;
            }
            """);

        var graph = program.Find();
        var classes = LeakClasses.Of(graph, block => program.NameOf(graph.Blocks[block].Stack) == "known" ? 7 : null);

        var left = Assert.Single(classes.Leaders);
        Assert.Equal("other", program.NameOf(graph.Blocks[left.Block].Stack));
        Assert.Equal([7, 7, null], Enumerable.Range(0, 3).Select(classes.SuppressionOf).OrderDescending());
    }

    [Fact]
    public void pointers_of_cpp_into_the_midst_hold_a_block()
    {
        using var program = BlockProgram.Cpp(_folder, """
            struct Element { ~Element() {} long value; };
            struct One { virtual ~One() {} long a; };
            struct Two { virtual ~Two() {} long b; };
            struct Both : One, Two { long c; };
            static void *volatile counted, *volatile none, *volatile second, *volatile end, *volatile length64, *volatile text;
            static void __attribute__((noinline)) work(void) {
                Element *elements = new Element[5]; say("counted", (char *)elements - 8, 48); counted = elements;
                Element *empty = new Element[0]; say("empty_array", (char *)empty - 8, 8); none = empty;
                Both *both = new Both; say("second_base", both, sizeof(Both)); second = static_cast<Two *>(both);
                char *filled = (char *)malloc(80); say("one_past_end", filled, 80); end = filled + 80;
                uint64_t *sized = (uint64_t *)malloc(72); say("length64", sized, 72); sized[0] = 64; length64 = sized + 1;
                size_t *old = (size_t *)malloc(45); say("string", old, 45); old[0] = 10; old[1] = 20; text = old + 3;
                char *middle = (char *)malloc(80); say("midst", middle, 80); static void *volatile other; other = middle + 16;
            }
            """, "-Wno-unused-result");

        var kinds = program.Check();

        Assert.Equal(LeakKind.Possible, kinds["midst"]);
        Assert.All(kinds.Where(kind => kind.Key != "midst"), kind => Assert.True(kind.Value == LeakKind.Reachable, kind.Key));
    }
}
