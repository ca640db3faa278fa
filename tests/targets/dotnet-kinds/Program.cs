using System.Globalization;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Kinds;

// Hazard: the ways in which a .NET program is built and started. Keeps as many blocks of 1,003 bytes as the argument says,
// half of them by a lambda on a thread, tells so in "BLOCKS BYTES", and ends. With a second argument it writes its pid
// into that file and goes on for ever.
internal static unsafe class Program
{
    private const int Bytes = 1003;

    private static void Main(string[] arguments)
    {
        var blocks = int.Parse(arguments[0], CultureInfo.InvariantCulture);
        if (arguments.Length > 1)
        {
            File.WriteAllText(arguments[1] + ".new", Environment.ProcessId.ToString(CultureInfo.InvariantCulture));
            File.Move(arguments[1] + ".new", arguments[1]);
        }
        do
        {
            var thread = new Thread(() => Each(blocks / 2));
            thread.Start();
            thread.Join();
            Each(blocks - (blocks / 2));
        }
        while (arguments.Length > 1);
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{blocks} {(long)blocks * Bytes}"));
    }

    private static void Each(int blocks)
    {
        for (var i = 0; i < blocks; i++)
        {
            Keep();
        }
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void Keep() => Use(NativeMemory.Alloc(Bytes)); // Keep

    // Keeps the call above from being its method's last.
    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void Use(void* block) => *(byte*)block = 1;
}
