using System.Reflection;
using System.Runtime.CompilerServices;

namespace Truth.Contexts;

/// <summary>Methods called by the runtime and by reflection: static constructors, constructors, attributes, events.</summary>
internal static class Reflected
{
    private static readonly MethodInfo s_called = Method(nameof(Called));
    private static readonly MethodInfo s_calledWithMany = Method(nameof(CalledWithMany));
    private static readonly ConstructorInfo s_constructor = typeof(Constructed).GetConstructor([])!;

    static Reflected() => AppDomain.CurrentDomain.AssemblyResolve += (_, _) =>
    {
        Probe.Here("assembly resolution");
        return null;
    };

    public static void Run(int round)
    {
        s_called.Invoke(null, []);
        s_calledWithMany.Invoke(null, [round, "", 1.5, round, round]);
        s_constructor.Invoke([]);
        Activator.CreateInstance(typeof(Constructed));
        Activator.CreateInstance<Constructed>();
        ((Delegate)Called).DynamicInvoke();
        _ = Method(nameof(Marked)).GetCustomAttributes(typeof(MarkAttribute), false);
        Initialized(round);
        if (round % 16 == 0)
        {
            _ = Type.GetType($"No.Such.Type, NoSuchAssembly{round}");
        }
    }

    // A type that has not been used before has its static constructor run.
    private static void Initialized(int round)
    {
        Type[] parts = [typeof(byte), typeof(short), typeof(string), typeof(long), typeof(float), typeof(object)];
        var type = typeof(Lazily<,,>).MakeGenericType(parts[round % 6], parts[round / 6 % 6], parts[round / 36 % 6]);
        RuntimeHelpers.RunClassConstructor(type.TypeHandle);
        var used = typeof(Used<>).MakeGenericType(type);
        used.GetMethod("Touch")!.Invoke(null, []);
    }

    private static MethodInfo Method(string name) =>
        typeof(Reflected).GetMethod(name, BindingFlags.NonPublic | BindingFlags.Static)!;

    private static void Called() => Probe.Here("reflection");

    private static double CalledWithMany(int a, string b, double c, long d, object e)
    {
        Probe.Here("reflection");
        return a + b.Length + c + d + e.GetHashCode();
    }

    [Mark]
    private static void Marked()
    {
    }

    private sealed class Constructed
    {
        public Constructed() => Probe.Here("constructor by reflection");
    }

    [AttributeUsage(AttributeTargets.Method)]
    private sealed class MarkAttribute : Attribute
    {
        public MarkAttribute() => Probe.Here("constructor of an attribute");
    }

    private static class Lazily<TA, TB, TC>
    {
        static Lazily() => Probe.Here("static constructor");
    }

    private static class Used<T>
    {
        public static int Value { get; }

        static Used()
        {
            Probe.Here("static constructor");
            Value = 1;
        }

        public static int Touch() => Value;
    }
}
