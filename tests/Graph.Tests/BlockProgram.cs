using System.Diagnostics;
using System.Globalization;
using NativeHeap.Memory.Holding;
using NativeHeap.Memory.Proc;
using NativeHeap.Model;
using NativeHeap.Testing;

namespace NativeHeap.Graph.Tests;

/// <summary>
/// A C or C++ program that says of each block which one it is, and then waits. Its source calls say("name", block, bytes)
/// and defines work(), which runs on a stack that is left before it waits.
/// </summary>
internal sealed class BlockProgram : IDisposable
{
    private const string Frame = """
        #include <stdio.h>
        #include <stdlib.h>
        #include <string.h>
        #include <stdint.h>
        #include <unistd.h>
        #include <alloca.h>
        static char said[1 << 16];
        static size_t length;
        static void __attribute__((noinline)) say(const char *name, void *block, size_t bytes) {
            static int busy;
            while (__atomic_exchange_n(&busy, 1, __ATOMIC_ACQUIRE)) {}
            length += (size_t)snprintf(said + length, sizeof said - length, "%s %zx %zu\n", name, (size_t)~(uintptr_t)block, bytes);
            __atomic_store_n(&busy, 0, __ATOMIC_RELEASE);
        }
        static void __attribute__((noinline)) overwrite(void) {
            volatile char *dead = (volatile char *)alloca(64 << 10);
            for (int i = 0; i < 64 << 10; i++) dead[i] = 0;
            __asm__ volatile("xor %%ecx, %%ecx; xor %%edx, %%edx; xor %%esi, %%esi; xor %%edi, %%edi; xor %%r8, %%r8;"
                             "xor %%r9, %%r9; xor %%r10, %%r10; xor %%r11, %%r11; vzeroall" : : :
                             "ecx", "edx", "esi", "edi", "r8", "r9", "r10", "r11", "memory");
        }
        WORK
        static char byte;
        int main(void) {
            setvbuf(stdout, NULL, _IONBF, 0);
            work();
            write(1, said, length);
            dprintf(1, "ready %d\n", getpid());
            overwrite();
            while (read(0, &byte, 1) < 0) {}
            return 0;
        }
        """;

    private const long SysRead = 0;
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);

    private readonly Process _process;
    private readonly Tracer _tracer = new();
    private readonly Dictionary<string, (ulong Address, ulong Bytes)> _said = [];

    private BlockProgram(string path)
    {
        // Not a child of ours: the framework asks for news of its children, and would take the tracer's.
        _process = Process.Start(new ProcessStartInfo("/bin/sh", ["-c", "\"$0\"; :", path])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
        })!;
        while (_process.StandardOutput.ReadLine() is { } line)
        {
            var words = line.Split(' ');
            if (words[0] == "ready")
            {
                Pid = int.Parse(words[1], CultureInfo.InvariantCulture);
                var waits = SpinWait.SpinUntil(() => new ProcessReader(Pid).ReadSystemCall(Pid) == SysRead, Patience);
                Assert.True(waits, "it does not wait");
                break;
            }

            // Said upside down: the text itself must not be a pointer.
            var address = ~ulong.Parse(words[1], NumberStyles.HexNumber, CultureInfo.InvariantCulture);
            _said.Add(words[0], (address, ulong.Parse(words[2], CultureInfo.InvariantCulture)));
        }
    }

    public int Pid { get; }

    public static BlockProgram C(TempFolder folder, string work, params string[] arguments) =>
        new(Tool.CompileC(folder, "program", Frame.Replace("WORK", work, StringComparison.Ordinal), arguments));

    public static BlockProgram Cpp(TempFolder folder, string work, params string[] arguments) =>
        new(Tool.CompileCpp(folder, "program", Frame.Replace("WORK", work, StringComparison.Ordinal), arguments));

    /// <summary>By name of a block: what it is.</summary>
    public IReadOnlyDictionary<string, LeakKind> Check(params string[] unseen) => Classify(Find(unseen), unseen);

    public IHeldProcess Hold()
    {
        var held = _tracer.TryHold(Pid, TimeSpan.FromSeconds(5), out var problem);
        Assert.True(held is not null, problem);
        return held;
    }

    public LeakGraph Find(params string[] unseen)
    {
        using var held = Hold();
        using var blocks = new HeapBlocks();
        var stack = 0;
        foreach (var (name, (address, bytes)) in _said)
        {
            if (!unseen.Contains(name))
            {
                blocks.Add(address, bytes, stack);
            }

            stack++;
        }

        return LeakFinder.Find(held, blocks, new RootOptions(), TestContext.Current.CancellationToken);
    }

    public string? ReadLine() => _process.StandardOutput.ReadLine();

    public ulong Address(string name) => _said[name].Address;

    public string NameOf(int stack) => _said.Keys.ElementAt(stack);

    public Dictionary<string, LeakKind> Classify(LeakGraph graph, params string[] unseen)
    {
        var classes = LeakClasses.Of(graph);
        var kinds = graph.Reachable.ToDictionary(held => NameOf(held.Stack), _ => LeakKind.Reachable);
        for (var i = 0; i < graph.Blocks.Count; i++)
        {
            kinds.Add(NameOf(graph.Blocks[i].Stack), classes.KindOf(i));
        }

        Assert.Equal(_said.Keys.Except(unseen).Order(), kinds.Keys.Order());
        return kinds;
    }

    public void Dispose()
    {
        _tracer.Dispose();
        _process.StandardInput.Close();
        _process.WaitForExit();
        _process.Dispose();
    }
}
