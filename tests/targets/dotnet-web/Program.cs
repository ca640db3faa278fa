// A web service with a mistake: what each request prints is remembered and never disposed of, and holds native memory. It
// serves until its input ends, and then says how many it remembers.
using System.Runtime.InteropServices;

namespace NativeHeap.Targets;

/// <summary>A printed receipt, in native memory.</summary>
internal sealed class Receipt : SafeHandle
{
    private const int Bytes = 4000;

    private Receipt(nint address)
        : base(0, ownsHandle: true) => SetHandle(address);

    public override bool IsInvalid => handle == 0;

    public static unsafe Receipt Print(int order)
    {
        var text = Marshal.AllocHGlobal(Bytes);
        new Span<byte>((void*)text, Bytes).Fill((byte)order);
        return new Receipt(text);
    }

    protected override bool ReleaseHandle()
    {
        Marshal.FreeHGlobal(handle);
        return true;
    }
}

internal sealed class OrderDesk
{
    private static readonly Dictionary<Guid, Receipt> s_printed = [];

    public static int Count => s_printed.Count;

    public static string Sell(int order)
    {
        lock (s_printed)
        {
            s_printed.Add(Guid.NewGuid(), Receipt.Print(order));
        }

        return $"order {order} sold";
    }
}

internal static class Program
{
    private static async Task Main(string[] arguments)
    {
        var builder = WebApplication.CreateSlimBuilder(arguments);
        builder.Logging.ClearProviders();
        await using var service = builder.Build();
        service.MapGet("/orders/{order:int}", (int order) => OrderDesk.Sell(order));
        service.MapGet("/collect", () =>
        {
            GC.Collect();
            return GC.CollectionCount(2);
        });
        await service.StartAsync();
        Console.WriteLine($"ready {Environment.ProcessId}");
        await Console.In.ReadToEndAsync();
        await service.StopAsync();
        Console.WriteLine($"{OrderDesk.Count} receipts");
    }
}
