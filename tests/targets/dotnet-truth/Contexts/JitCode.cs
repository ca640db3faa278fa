using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Truth.Contexts;

/// <summary>Frames of every shape that the JIT makes, in every tier as rounds go on.</summary>
internal static class JitCode
{
    private const int OsrTurns = 120_000;
    private const int DeepLevels = 700;
    private const int TooDeepLevels = 1_500;

    private interface IShape
    {
        void Visit(string kind);
    }

    public static void Run(int round)
    {
        Deep(round % 9, "recursion");
        Tail(6, "tail calls");
        Frameless(round);
        Optimized("aggressive optimization");
        Unoptimized("no optimization");
        Many(1, 2, 3, 4, 5, 6, 7, 8, 9, 10.0, 11.0f, (12, 13));
        Returning(round);
        Locals(round % 3 == 0 ? 70_000 : 3_000 + round % 500);
        LargeFrame();
        Vectors(Vector256.Create(round));
        foreach (IShape shape in (IShape[])[new First(), new Second(), new Third(), new Boxed()])
        {
            shape.Visit("interface dispatch");
        }
        Dispatch(new Derived());
        Delegates();
        Regions(round);
        Osr(round);
        if (round % 20 == 0)
        {
            Deep(DeepLevels, "deep recursion");
            Deep(TooDeepLevels, "recursion beyond the limit");
        }
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void Deep(int depth, string kind)
    {
        if (depth == 0)
        {
            Probe.Here(kind);
        }
        else
        {
            Deep(depth - 1, kind);
        }
        GC.KeepAlive(kind);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void Tail(int depth, string kind)
    {
        if (depth == 0)
        {
            Probe.Here(kind);
            return;
        }
        Tail(depth - 1, kind);
    }

    // No locals, no saved registers: their only trace on the stack is the return address.
    [MethodImpl(MethodImplOptions.NoInlining)]
    private static int Frameless(int value) => FramelessInner(value) + 1;

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static int FramelessInner(int value)
    {
        Probe.Here("frameless");
        return 1;
    }

    [MethodImpl(MethodImplOptions.NoInlining | MethodImplOptions.AggressiveOptimization)]
    private static int Optimized(string kind)
    {
        Probe.Here(kind);
        return kind.Length;
    }

    [MethodImpl(MethodImplOptions.NoInlining | MethodImplOptions.NoOptimization)]
    private static int Unoptimized(string kind)
    {
        Probe.Here(kind);
        return kind.Length;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static long Many(
        int a, long b, int c, long d, int e, long f, int g, long h, int i, double j, float k, (long, long) l)
    {
        Probe.Here("arguments on the stack");
        return a + b + c + d + e + f + g + h + i + (long)j + (long)k + l.Item1 + l.Item2;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static (long, string, long, double) Returning(int round)
    {
        Probe.Here("large struct returned");
        return (round, "", round, round);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static int Locals(int bytes)
    {
        Span<byte> room = stackalloc byte[bytes];
        room[bytes - 1] = 1;
        Probe.Here("stackalloc");
        return room[bytes - 1];
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static int LargeFrame()
    {
        var large = default(Large);
        Fill(ref large);
        Probe.Here("large frame");
        return large[0];
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void Fill(ref Large large) => large[5_000] = 1;

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static Vector256<int> Vectors(Vector256<int> value)
    {
        var twice = value + value;
        Probe.Here("vector registers");
        return twice * value;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void Dispatch(Base target)
    {
        target.Visit("virtual call");
        GC.KeepAlive(target);
    }

    private static void Delegates()
    {
        Action<string> all = Probe.Here;
        all += new First().Visit;
        all += kind => Probe.Here(kind);
        all += "".At;
        all("multicast delegate");
        Action<First, string> open =
            (Action<First, string>)Delegate.CreateDelegate(typeof(Action<First, string>), typeof(First).GetMethod("Visit")!);
        open(new First(), "open delegate");
    }

    private static void At(this string first, string kind) => Probe.Here(kind + first);

    private static void Regions(int round)
    {
        using var _ = new Owned();
        lock (s_lock)
        {
            foreach (var number in Numbers(round % 3 + 1))
            {
                Probe.Here(number > 0 ? "inside using, lock, foreach" : "");
            }
        }
    }

    private static readonly Lock s_lock = new();

    private static IEnumerable<int> Numbers(int count)
    {
        for (var i = 1; i <= count; i++)
        {
            Probe.Here("iterator");
            yield return i;
        }
    }

    // One instantiation a round: code that is new, and replaced in the middle of its first call.
    private static void Osr(int round)
    {
        Type[] parts = [typeof(byte), typeof(short), typeof(int), typeof(long), typeof(float), typeof(double)];
        var type = typeof(ValueTuple<,,>).MakeGenericType(parts[round % 6], parts[round / 6 % 6], parts[round / 36 % 6]);
        var loop = typeof(JitCode).GetMethod(nameof(Loop), System.Reflection.BindingFlags.NonPublic | System.Reflection.BindingFlags.Static)!
            .MakeGenericMethod(type).CreateDelegate<Func<int, long>>();
        if (loop(OsrTurns) == 0)
        {
            throw new InvalidOperationException();
        }
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static long Loop<T>(int turns)
        where T : struct
    {
        long sum = Unsafe.SizeOf<T>();
        for (var i = 0; i < turns; i++)
        {
            sum += i;
            if (i % (OsrTurns / 6) == 0)
            {
                Probe.Here("OSR loop");
            }
        }
        return sum;
    }

    [InlineArray(6_000)]
    private struct Large
    {
        private int _first;
    }

    private sealed class First : IShape
    {
        [MethodImpl(MethodImplOptions.NoInlining)]
        public void Visit(string kind) => Probe.Here(kind);
    }

    private sealed class Second : IShape
    {
        [MethodImpl(MethodImplOptions.NoInlining)]
        public void Visit(string kind) => Probe.Here(kind);
    }

    private sealed class Third : IShape
    {
        // The method called is hidden behind an explicit implementation.
        [MethodImpl(MethodImplOptions.NoInlining)]
        void IShape.Visit(string kind) => Probe.Here(kind);
    }

    private readonly struct Boxed : IShape
    {
        [MethodImpl(MethodImplOptions.NoInlining)]
        public void Visit(string kind) => Probe.Here(kind);
    }

    private abstract class Base
    {
        public abstract void Visit(string kind);
    }

    private sealed class Derived : Base
    {
        [MethodImpl(MethodImplOptions.NoInlining)]
        public override void Visit(string kind) => Probe.Here(kind);
    }

    private sealed class Owned : IDisposable
    {
        public void Dispose() => Probe.Here("dispose");
    }
}
