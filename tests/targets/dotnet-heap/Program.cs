// A shop of as many objects as are asked for: orders with their lines, texts and bytes, each order referring to any earlier
// one. Every hundredth order has a scan, a block of native memory in a SafeHandle. It says how many objects of each type it
// made and where the last scan is, upside down (no text is to look like a pointer), and waits until its input ends.
using System.Runtime.InteropServices;

namespace NativeHeap.Targets;

internal sealed class Scan : SafeHandle
{
    private const int Bytes = 500;

    public unsafe Scan()
        : base(0, ownsHandle: true) => SetHandle((nint)NativeMemory.AllocZeroed(Bytes));

    public override bool IsInvalid => handle == 0;

    public nint Address => handle;

    protected override unsafe bool ReleaseHandle()
    {
        NativeMemory.Free((void*)handle);
        return true;
    }
}

internal sealed class Line(Order order, object product)
{
    public Order Order { get; } = order;

    public object Product { get; } = product;

    public double Price { get; set; }
}

internal sealed class Order(int number, Order? earlier)
{
    public const int Objects = 6; // itself, lines and their array, note, signature

    public int Number { get; } = number;

    public Order? Earlier { get; } = earlier;

    public string Note { get; } = new('n', 1 + (number % 20));

    public byte[] Signature { get; } = new byte[1 + (number % 40)];

    public Line[] Lines { get; } = new Line[2];

    public Scan? Scan { get; } = number % 100 == 0 ? new Scan() : null;
}

internal static class Program
{
    private static readonly Dictionary<int, Order> Orders = [];

    private static void Main(string[] arguments)
    {
        var count = int.Parse(arguments[0]) / Order.Objects;
        var random = new Random(1);
        object product = new();
        Order? last = null;
        for (var i = 0; i < count; i++)
        {
            var order = new Order(i, i == 0 ? null : Orders[random.Next(i)]);
            for (var line = 0; line < order.Lines.Length; line++)
            {
                order.Lines[line] = new Line(order, product) { Price = i };
            }

            Orders.Add(i, order);
            last = order.Scan is null ? last : order;
        }

        GC.Collect();
        Console.WriteLine($"orders {count} lines {count * 2} scans {(count + 99) / 100} last {~(last?.Scan?.Address ?? 0):x}");
        Console.WriteLine($"ready {Environment.ProcessId}");
        while (Console.In.ReadLine() is not null)
        {
        }

        GC.KeepAlive(Orders);
    }
}
