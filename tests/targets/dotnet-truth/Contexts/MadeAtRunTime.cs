using System.Linq.Expressions;
using System.Reflection;
using System.Reflection.Emit;
using System.Runtime.CompilerServices;
using System.Runtime.Loader;

namespace Truth.Contexts;

/// <summary>Code that did not exist when the program was built, and whose memory is used again for other code.</summary>
internal static class MadeAtRunTime
{
    private static readonly MethodInfo s_probe = typeof(Probe).GetMethod(nameof(Probe.Here))!;

    public static void Run(int round)
    {
        Dynamic(round)();
        Expression<Action<string>> expression = kind => Probe.Here(kind);
        expression.Compile()("compiled expression");
        if (round % 4 == 0)
        {
            Emitted(round);
            Loaded();
        }
        if (round % 8 == 7)
        {
            // Lets go of the code of earlier rounds.
            GC.Collect();
            GC.WaitForPendingFinalizers();
            GC.Collect();
        }
    }

    // Frames differ in size from round to round, so that what stands at a reused address is not what stood there.
    private static Action Dynamic(int round)
    {
        var method = new DynamicMethod($"Dynamic{round}", null, [], typeof(MadeAtRunTime).Module, skipVisibility: true);
        Fill(method.GetILGenerator(), "DynamicMethod", round % 7);
        return method.CreateDelegate<Action>();
    }

    private static void Emitted(int round)
    {
        var assembly = AssemblyBuilder.DefineDynamicAssembly(new AssemblyName($"Emitted{round}"), AssemblyBuilderAccess.RunAndCollect);
        var access = typeof(IgnoresAccessChecksToAttribute).GetConstructor([typeof(string)])!;
        assembly.SetCustomAttribute(new CustomAttributeBuilder(access, [typeof(Probe).Assembly.GetName().Name]));
        var type = assembly.DefineDynamicModule("main").DefineType("Emitted.Type", TypeAttributes.Public);
        var method = type.DefineMethod($"Run{round}", MethodAttributes.Public | MethodAttributes.Static);
        Fill(method.GetILGenerator(), "collectible assembly, emitted", round % 5);
        type.CreateType().GetMethod(method.Name)!.CreateDelegate<Action>()();
    }

    // A second copy of this program, in a context that is unloaded again.
    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void Loaded()
    {
        var context = new AssemblyLoadContext("second", isCollectible: true);
        var copy = context.LoadFromAssemblyPath(typeof(MadeAtRunTime).Assembly.Location);
        var relay = copy.GetType(typeof(Relay).FullName!)!.GetMethod(nameof(Relay.Call))!.CreateDelegate<Action<Action>>();
        relay(() => Probe.Here("collectible assembly, loaded"));
        context.Unload();
    }

    private static void Fill(ILGenerator code, string kind, int locals)
    {
        for (var i = 0; i < locals; i++)
        {
            var local = code.DeclareLocal(typeof(decimal));
            code.Emit(OpCodes.Ldloca, local);
            code.Emit(OpCodes.Initobj, typeof(decimal));
            code.Emit(OpCodes.Ldloca, local);
            code.Emit(OpCodes.Call, typeof(decimal).GetMethod(nameof(decimal.GetHashCode), [])!);
            code.Emit(OpCodes.Pop);
        }
        code.Emit(OpCodes.Ldstr, kind);
        code.Emit(OpCodes.Call, s_probe);
        code.Emit(OpCodes.Nop);
        code.Emit(OpCodes.Ret);
    }
}

/// <summary>What is called in the second copy.</summary>
public static class Relay
{
    [MethodImpl(MethodImplOptions.NoInlining)]
    public static void Call(Action action)
    {
        action();
        GC.KeepAlive(action);
    }
}
