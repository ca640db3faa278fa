// DotNetWork hello: says so and ends.
// DotNetWork loop PAIRS: allocates and frees native memory from managed code.
// DotNetWork serve PORT: a small ASP.NET Core application; GET /stop ends it.
// DotNetWork ask PORT REQUESTS: its client, with 16 requests under way at a time.
using System.Globalization;
using System.Runtime.InteropServices;

switch (args)
{
    case ["hello"]:
        Console.WriteLine("hello");
        return 0;
    case ["loop", var pairs]:
        NativeLoop(long.Parse(pairs, CultureInfo.InvariantCulture));
        return 0;
    case ["serve", var port]:
        Serve(port);
        return 0;
    case ["ask", var port, var requests]:
        await Ask(port, int.Parse(requests, CultureInfo.InvariantCulture));
        return 0;
    default:
        return 2;
}

static unsafe void NativeLoop(long pairs)
{
    const int Window = 1024;
    var blocks = stackalloc nint[Window];
    new Span<nint>(blocks, Window).Clear();
    var state = 88172645463325252UL;
    for (var i = 0L; i < pairs; i++)
    {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        var place = (int)(state % Window);
        NativeMemory.Free((void*)blocks[place]);
        blocks[place] = (nint)NativeMemory.Alloc((nuint)(16 + ((state >> 32) % 240)));
    }

    for (var i = 0; i < Window; i++)
    {
        NativeMemory.Free((void*)blocks[i]);
    }
}

static void Serve(string port)
{
    var builder = WebApplication.CreateSlimBuilder();
    builder.Logging.ClearProviders();
    builder.WebHost.UseUrls($"http://127.0.0.1:{port}");
    var app = builder.Build();
    app.MapGet("/", (int n) => Results.Json(Enumerable.Range(0, n % 50).Select(i => new { Id = i, Name = $"item {i * n}" })));
    app.MapGet("/stop", (IHostApplicationLifetime lifetime) => lifetime.StopApplication());
    app.Run();
}

static async Task Ask(string port, int requests)
{
    using var client = new HttpClient { BaseAddress = new Uri($"http://127.0.0.1:{port}") };
    var next = 0;
    await Task.WhenAll(Enumerable.Range(0, 16).Select(async _ =>
    {
        for (var n = Interlocked.Increment(ref next); n <= requests; n = Interlocked.Increment(ref next))
        {
            using var answer = await client.GetAsync(new Uri($"/?n={n}", UriKind.Relative));
            answer.EnsureSuccessStatusCode();
        }
    }));
}
