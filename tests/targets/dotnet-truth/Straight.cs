using System.Diagnostics;
using System.Reflection.Emit;
using System.Runtime.CompilerServices;

namespace Truth;

/// <summary>
/// Long code without a loop or a call right before the native call: where a garbage collection that wants this thread to
/// stop finds no place to do so, and puts its own address in place of the return address instead. Divisions that wait for
/// one another, because they take long.
/// </summary>
internal static class Straight
{
    private const int Divisions = 2_000; // some ten microseconds: what a collection needs to get under way

    private static readonly Action<string> s_emitted = Emit();
    private static double _sum;

    [MethodImpl(MethodImplOptions.NoInlining)]
    public static void Run(string kind)
    {
        Compiled(kind);
        s_emitted(kind);
        GC.KeepAlive(kind);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void Compiled(string kind)
    {
        var trace = new StackTrace(false);
        var x = _sum;
        CollectorLoad.Ask();
        x = 0.5 / (x + 1.25); x = 1.5 / (x + 2.25); x = 2.5 / (x + 3.25); x = 3.5 / (x + 4.25);
        x = 7.5 / (x + 1.25); x = 8.5 / (x + 2.25); x = 9.5 / (x + 3.25); x = 10.5 / (x + 4.25);
        x = 14.5 / (x + 1.25); x = 15.5 / (x + 2.25); x = 16.5 / (x + 3.25); x = 17.5 / (x + 4.25);
        x = 21.5 / (x + 1.25); x = 22.5 / (x + 2.25); x = 23.5 / (x + 3.25); x = 24.5 / (x + 4.25);
        x = 28.5 / (x + 1.25); x = 29.5 / (x + 2.25); x = 30.5 / (x + 3.25); x = 31.5 / (x + 4.25);
        x = 35.5 / (x + 1.25); x = 36.5 / (x + 2.25); x = 37.5 / (x + 3.25); x = 38.5 / (x + 4.25);
        x = 42.5 / (x + 1.25); x = 43.5 / (x + 2.25); x = 44.5 / (x + 3.25); x = 45.5 / (x + 4.25);
        x = 49.5 / (x + 1.25); x = 50.5 / (x + 2.25); x = 51.5 / (x + 3.25); x = 52.5 / (x + 4.25);
        x = 56.5 / (x + 1.25); x = 57.5 / (x + 2.25); x = 58.5 / (x + 3.25); x = 59.5 / (x + 4.25);
        x = 63.5 / (x + 1.25); x = 64.5 / (x + 2.25); x = 65.5 / (x + 3.25); x = 66.5 / (x + 4.25);
        x = 70.5 / (x + 1.25); x = 71.5 / (x + 2.25); x = 72.5 / (x + 3.25); x = 73.5 / (x + 4.25);
        x = 77.5 / (x + 1.25); x = 78.5 / (x + 2.25); x = 79.5 / (x + 3.25); x = 80.5 / (x + 4.25);
        x = 84.5 / (x + 1.25); x = 85.5 / (x + 2.25); x = 86.5 / (x + 3.25); x = 87.5 / (x + 4.25);
        x = 91.5 / (x + 1.25); x = 92.5 / (x + 2.25); x = 93.5 / (x + 3.25); x = 94.5 / (x + 4.25);
        x = 98.5 / (x + 1.25); x = 99.5 / (x + 2.25); x = 100.5 / (x + 3.25); x = 101.5 / (x + 4.25);
        x = 105.5 / (x + 1.25); x = 106.5 / (x + 2.25); x = 107.5 / (x + 3.25); x = 108.5 / (x + 4.25);
        x = 112.5 / (x + 1.25); x = 113.5 / (x + 2.25); x = 114.5 / (x + 3.25); x = 115.5 / (x + 4.25);
        x = 119.5 / (x + 1.25); x = 120.5 / (x + 2.25); x = 121.5 / (x + 3.25); x = 122.5 / (x + 4.25);
        x = 126.5 / (x + 1.25); x = 127.5 / (x + 2.25); x = 128.5 / (x + 3.25); x = 129.5 / (x + 4.25);
        x = 133.5 / (x + 1.25); x = 134.5 / (x + 2.25); x = 135.5 / (x + 3.25); x = 136.5 / (x + 4.25);
        x = 140.5 / (x + 1.25); x = 141.5 / (x + 2.25); x = 142.5 / (x + 3.25); x = 143.5 / (x + 4.25);
        x = 147.5 / (x + 1.25); x = 148.5 / (x + 2.25); x = 149.5 / (x + 3.25); x = 150.5 / (x + 4.25);
        x = 154.5 / (x + 1.25); x = 155.5 / (x + 2.25); x = 156.5 / (x + 3.25); x = 157.5 / (x + 4.25);
        x = 161.5 / (x + 1.25); x = 162.5 / (x + 2.25); x = 163.5 / (x + 3.25); x = 164.5 / (x + 4.25);
        x = 168.5 / (x + 1.25); x = 169.5 / (x + 2.25); x = 170.5 / (x + 3.25); x = 171.5 / (x + 4.25);
        x = 175.5 / (x + 1.25); x = 176.5 / (x + 2.25); x = 177.5 / (x + 3.25); x = 178.5 / (x + 4.25);
        x = 182.5 / (x + 1.25); x = 183.5 / (x + 2.25); x = 184.5 / (x + 3.25); x = 185.5 / (x + 4.25);
        x = 189.5 / (x + 1.25); x = 190.5 / (x + 2.25); x = 191.5 / (x + 3.25); x = 192.5 / (x + 4.25);
        x = 196.5 / (x + 1.25); x = 197.5 / (x + 2.25); x = 198.5 / (x + 3.25); x = 199.5 / (x + 4.25);
        x = 203.5 / (x + 1.25); x = 204.5 / (x + 2.25); x = 205.5 / (x + 3.25); x = 206.5 / (x + 4.25);
        x = 210.5 / (x + 1.25); x = 211.5 / (x + 2.25); x = 212.5 / (x + 3.25); x = 213.5 / (x + 4.25);
        x = 217.5 / (x + 1.25); x = 218.5 / (x + 2.25); x = 219.5 / (x + 3.25); x = 220.5 / (x + 4.25);
        x = 224.5 / (x + 1.25); x = 225.5 / (x + 2.25); x = 226.5 / (x + 3.25); x = 227.5 / (x + 4.25);
        x = 231.5 / (x + 1.25); x = 232.5 / (x + 2.25); x = 233.5 / (x + 3.25); x = 234.5 / (x + 4.25);
        x = 238.5 / (x + 1.25); x = 239.5 / (x + 2.25); x = 240.5 / (x + 3.25); x = 241.5 / (x + 4.25);
        x = 245.5 / (x + 1.25); x = 246.5 / (x + 2.25); x = 247.5 / (x + 3.25); x = 248.5 / (x + 4.25);
        x = 252.5 / (x + 1.25); x = 253.5 / (x + 2.25); x = 254.5 / (x + 3.25); x = 255.5 / (x + 4.25);
        x = 259.5 / (x + 1.25); x = 260.5 / (x + 2.25); x = 261.5 / (x + 3.25); x = 262.5 / (x + 4.25);
        x = 266.5 / (x + 1.25); x = 267.5 / (x + 2.25); x = 268.5 / (x + 3.25); x = 269.5 / (x + 4.25);
        x = 273.5 / (x + 1.25); x = 274.5 / (x + 2.25); x = 275.5 / (x + 3.25); x = 276.5 / (x + 4.25);
        _sum = x;
        var block = Native.Block();
        Ledger.Record(kind, block, trace);
    }

    // The same, but longer than anybody wants to read.
    private static Action<string> Emit()
    {
        var method = new DynamicMethod("Straight", null, [typeof(string)], typeof(Straight).Module, skipVisibility: true);
        var code = method.GetILGenerator();
        var trace = code.DeclareLocal(typeof(StackTrace));
        var block = code.DeclareLocal(typeof(nint));
        var sum = typeof(Straight).GetField(nameof(_sum), PrivateStatic)!;
        code.Emit(OpCodes.Ldc_I4_0);
        code.Emit(OpCodes.Newobj, typeof(StackTrace).GetConstructor([typeof(bool)])!);
        code.Emit(OpCodes.Stloc, trace);
        code.Emit(OpCodes.Call, typeof(CollectorLoad).GetMethod(nameof(CollectorLoad.Ask))!);
        code.Emit(OpCodes.Ldsfld, sum);
        for (var i = 0; i < Divisions; i++)
        {
            code.Emit(OpCodes.Ldc_R8, 1.5 + i);
            code.Emit(OpCodes.Div);
            code.Emit(OpCodes.Ldc_R8, 2.5);
            code.Emit(OpCodes.Add);
        }
        code.Emit(OpCodes.Stsfld, sum);
        code.Emit(OpCodes.Call, typeof(Native).GetMethod(nameof(Native.Block))!);
        code.Emit(OpCodes.Stloc, block);
        code.Emit(OpCodes.Ldarg_0);
        code.Emit(OpCodes.Ldloc, block);
        code.Emit(OpCodes.Ldloc, trace);
        code.Emit(OpCodes.Call, typeof(Ledger).GetMethod(nameof(Ledger.Record))!);
        code.Emit(OpCodes.Ret);
        return method.CreateDelegate<Action<string>>();
    }

    private const System.Reflection.BindingFlags PrivateStatic =
        System.Reflection.BindingFlags.NonPublic | System.Reflection.BindingFlags.Static;
}
