using System.Diagnostics;
using System.Reflection;

namespace NativeHeap.Managed.Tests;

/// <summary>Methods of all the kinds that compilers rewrite. Each gives the frame it runs in.</summary>
internal sealed class Samples<TOwner> : IComparable<Samples<TOwner>>
{
    private StackFrame? _seen;

    public Samples() => _seen = Here();

    public static StackFrame Here() => new(1, needFileInfo: true);

    public StackFrame Constructor() => _seen!;

    public static StackFrame Parameters(
        int a, ref string b, out object? c, in decimal d, int?[] e, int[,] f, Dictionary<string, List<TOwner>> g, nint h)
    {
        c = null;
        return Here();
    }

    public StackFrame Generic<T>(T value) => Here();

    public async Task<StackFrame> WaitAsync(int number)
    {
        await Task.Yield();
        return Here();
    }

    public IEnumerable<StackFrame> Items(string word)
    {
        yield return Here();
    }

    public async IAsyncEnumerable<StackFrame> ItemsAsync()
    {
        await Task.Yield();
        yield return Here();
    }

    public static StackFrame Lambda(int captured)
    {
        Func<int> unused = () => 1;
        Func<long, StackFrame> lambda = number => captured > number ? Here() : Here();
        _ = unused();
        return lambda(captured);
    }

    public static StackFrame Local(int captured)
    {
        return Inner("x");
        StackFrame Inner(string word) => captured == 0 ? Here() : Here();
    }

    public static async Task<StackFrame> AsyncLambda()
    {
        Func<byte, Task<StackFrame>> lambda = async number =>
        {
            await Task.Yield();
            return Here();
        };
        return await lambda(1);
    }

    int IComparable<Samples<TOwner>>.CompareTo(Samples<TOwner>? other)
    {
        _seen = Here();
        return 0;
    }

    public StackFrame Explicit()
    {
        _ = ((IComparable<Samples<TOwner>>)this).CompareTo(null);
        return _seen!;
    }

    internal sealed class Nested<T>
    {
        public StackFrame this[T index] => Here();

        public static Assembly Assembly => typeof(Nested<>).Assembly;
    }
}
