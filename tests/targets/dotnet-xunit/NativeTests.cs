using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

// One test's leak must not be found by another's check.
[assembly: Xunit.v3.Parallelization(Mode = Xunit.Sdk.ParallelMode.None)]

namespace NativeHeap.Targets;

public sealed class NativeTests : LosesNothing
{
    [Fact]
    public void Loses_memory()
    {
        Lose();
        Overwrite(64);
    }

    [Fact]
    public void Frees_memory()
    {
        var block = Marshal.AllocHGlobal(4321);
        Marshal.FreeHGlobal(block);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static unsafe void Lose()
    {
        for (var i = 0; i < 3; i++)
        {
            NativeMemory.AllocZeroed(1234);
        }
    }

    // What calls have left on the stack.
    [MethodImpl(MethodImplOptions.NoInlining)]
    private static unsafe void Overwrite(int depth)
    {
        var dead = stackalloc byte[512];
        new Span<byte>(dead, 512).Clear();
        if (depth > 0)
        {
            Overwrite(depth - 1);
        }
    }
}
