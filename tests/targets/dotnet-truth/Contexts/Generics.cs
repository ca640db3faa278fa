using System.Runtime.CompilerServices;

namespace Truth.Contexts;

/// <summary>Generic code, shared between reference types or made for one value type.</summary>
internal static class Generics
{
    private interface IDefault<T>
    {
        [MethodImpl(MethodImplOptions.NoInlining)]
        void Visit(string kind) => Probe.Here(kind + (typeof(T).IsValueType ? ", own" : ", shared"));
    }

    private interface IStatic
    {
        static abstract void Visit(string kind);
    }

    public static void Run(int round)
    {
        Holder<string>.Static(round);
        Holder<object>.Static("");
        Holder<int>.Static(round);
        Holder<(int, long)>.Static("");
        new Holder<string>().Virtual(round);
        new Holder<int[]>().Virtual(new object());
        new Holder<DateTime>().Virtual("");
        ((IDefault<string>)new Holder<string>()).Visit("default interface method");
        ((IDefault<int>)new Holder<int>()).Visit("default interface method");
        Through<Direct>("static abstract method");
        Through<Value>("static abstract method of a struct");
        Constrained(new Value());
        Constrained(new Direct());
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void Through<T>(string kind)
        where T : IStatic
    {
        T.Visit(kind);
        GC.KeepAlive(kind);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void Constrained<T>(T value)
        where T : notnull
    {
        _ = value.ToString();
        _ = value.GetHashCode();
    }

    private class Holder<T> : IDefault<T>
    {
        [MethodImpl(MethodImplOptions.NoInlining)]
        public static void Static<TOther>(TOther other)
        {
            Probe.Here(typeof(T).IsValueType ? "generic method, own" : "generic method, shared");
            GC.KeepAlive(typeof(Holder<TOther>));
        }

        [MethodImpl(MethodImplOptions.NoInlining)]
        public virtual TOther Virtual<TOther>(TOther other)
        {
            Probe.Here("generic virtual method");
            return other;
        }
    }

    private sealed class Direct : IStatic
    {
        [MethodImpl(MethodImplOptions.NoInlining)]
        public static void Visit(string kind) => Probe.Here(kind);

        public override string ToString()
        {
            Probe.Here("constrained call");
            return "";
        }

        public override int GetHashCode() => 1;
    }

    private readonly struct Value : IStatic
    {
        [MethodImpl(MethodImplOptions.NoInlining)]
        public static void Visit(string kind) => Probe.Here(kind);

        public override string ToString()
        {
            Probe.Here("constrained call of a struct");
            return "";
        }

        public override int GetHashCode()
        {
            Probe.Here("constrained call of a struct");
            return 1;
        }
    }
}
