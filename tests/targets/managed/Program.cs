// The hazard: code whose name is not what its author wrote (state machines, closures, generics), and code addresses that
// are one method after the other. Each line says what a native profiler should call the caller of libc's backtrace():
//     NAME|ADDRESS|CLOCK_MONOTONIC ns|LINE
// Optimized methods call it themselves, without a stub between (state machines are optimized when nothing is tiered). With the argument "wait" it says "ready" after it has
// run everything once, and goes on when standard input has a line; "forever" goes on until it is killed; "child" shows a child's environment.
using System.Diagnostics;
using System.Reflection.Emit;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Targets;

internal static class Program
{
    internal static readonly nint s_at = Marshal.AllocHGlobal(sizeof(long));
    private static readonly nint s_backtrace = NativeLibrary.GetExport(NativeLibrary.Load("libc.so.6"), "backtrace");

    private static async Task Main(string[] arguments)
    {
        if (arguments.Contains("child"))
        {
            Process.Start("/bin/sh", ["-c", "env | grep DOTNET_DiagnosticPorts"]).WaitForExit();
            return;
        }

        await RunAll();
        if (arguments.Contains("wait"))
        {
            Console.WriteLine("ready");
            Console.ReadLine();
        }

        await RunAll();
        RunEmitted(200);
        while (arguments.Contains("forever"))
        {
            RunEmitted(50);
        }
    }

    [DllImport("libc.so.6")]
    internal static extern int backtrace(nint addresses, int count);

    internal static nint At => Marshal.ReadIntPtr(s_at);

    internal static void Say(string name, nint address, [CallerLineNumber] int line = 0) =>
        Console.WriteLine($"{name}|{address}|{Stopwatch.GetTimestamp()}|{line}");

    private static async Task RunAll()
    {
        Plain(1);
        new Outer<string>.Inner<int>(5).Generic("x", 1);
        Generic(1.5, out _);
        await WaitAsync(1);
        foreach (var _ in Items(2))
        {
        }

        Local(3);
        Func<int, string> lambda = [MethodImpl(MethodImplOptions.AggressiveOptimization)] (number) =>
        {
            backtrace(s_at, 1); Say("Targets.Program.RunAll.lambda#0(int)", At);
            return "";
        };
        lambda(1);

        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        static void Local(int number)
        {
            backtrace(s_at, 1); Say("Targets.Program.RunAll.Local(int)", At);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Plain(int number)
    {
        backtrace(s_at, 1); Say("Targets.Program.Plain(int)", At);
        number++;
        backtrace(s_at, 1); Say("Targets.Program.Plain(int)", At);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Generic<T>(T value, out List<T?>? list)
        where T : struct
    {
        list = null;
        backtrace(s_at, 1); Say("Targets.Program.Generic<T>(T, out List<T?>)", At);
    }

    private static async Task<int> WaitAsync(int number)
    {
        await Task.Yield();
        backtrace(s_at, 1); Say("Targets.Program.WaitAsync(int)", At);
        return number;
    }

    private static IEnumerable<int> Items(int count)
    {
        for (var i = 0; i < count; i++)
        {
            backtrace(s_at, 1); Say("Targets.Program.Items(int)", At);
            yield return i;
        }
    }

    // Methods that are collected, so that their addresses are used again.
    private static void RunEmitted(int count)
    {
        for (var i = 0; i < count; i++)
        {
            var method = new DynamicMethod($"Emitted{i}", typeof(nint), [typeof(int)]);
            var code = method.GetILGenerator();
            var at = code.DeclareLocal(typeof(nint));
            code.Emit(OpCodes.Ldloca, at);
            code.Emit(OpCodes.Ldc_I4_1);
            code.Emit(OpCodes.Ldc_I8, s_backtrace);
            code.Emit(OpCodes.Conv_I);
            code.EmitCalli(OpCodes.Calli, CallingConvention.Cdecl, typeof(int), [typeof(nint), typeof(int)]);
            code.Emit(OpCodes.Pop);
            code.Emit(OpCodes.Ldloc, at);
            code.Emit(OpCodes.Ret);
            var address = ((Func<int, nint>)method.CreateDelegate(typeof(Func<int, nint>)))(i);
            Say($"Emitted{i}(int)", address, 0);
            if (i % 20 == 19)
            {
                GC.Collect();
                GC.WaitForPendingFinalizers();
            }
        }
    }
}

internal sealed class Outer<TOuter>
{
    internal sealed class Inner<T>
    {
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        internal Inner(T value)
        {
            Program.backtrace(Program.s_at, 1); Program.Say("Targets.Outer<TOuter>.Inner<T>..ctor(T)", Program.At);
        }

        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        internal void Generic<TMethod>(TOuter outer, TMethod value)
        {
            Program.backtrace(Program.s_at, 1); Program.Say("Targets.Outer<TOuter>.Inner<T>.Generic<TMethod>(TOuter, TMethod)", Program.At);
        }
    }
}
