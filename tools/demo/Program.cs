using System.Net.Http.Json;
using OrderService;

// The sample that `tools/nativeheap demo` profiles: a small order service with a mistake in it, and the customers who
// keep it busy for a few seconds. It prints how many orders were cancelled; each has lost some memory. Find where.
const int Orders = 1500;
const int Customers = 3;

var builder = WebApplication.CreateSlimBuilder(args);
builder.Logging.ClearProviders();
builder.WebHost.UseUrls("http://127.0.0.1:0");
builder.Services.AddSingleton<IInvoicePrinter, NativeInvoicePrinter>();
builder.Services.AddSingleton<OrderDesk>();
await using var service = builder.Build();
service.MapPost("/orders/{number:int}", (int number, OrderDesk desk) => desk.SellAsync(number));
service.MapDelete("/orders/{number:int}", (int number, OrderDesk desk) => desk.CancelAsync(number));
await service.StartAsync();

using var client = new HttpClient { BaseAddress = new Uri(service.Urls.First()) };
var (sold, cancelled) = (0, 0);
await Parallel.ForAsync(1, Orders + 1, new ParallelOptions { MaxDegreeOfParallelism = Customers }, async (number, stop) =>
{
    if (number % 3 == 0)
    {
        (await client.DeleteAsync($"/orders/{number}", stop)).EnsureSuccessStatusCode();
        Interlocked.Increment(ref cancelled);
    }
    else
    {
        (await client.PostAsJsonAsync($"/orders/{number}", number, stop)).EnsureSuccessStatusCode();
        Interlocked.Increment(ref sold);
    }
    await Task.Delay(5, stop);
});
await service.StopAsync();
Console.WriteLine($"{sold} orders sold, {cancelled} cancelled");
