using System.Globalization;
using System.Text.Json;
using System.Xml.Linq;
using NativeHeap.Analysis;
using NativeHeap.Fixtures;
using NativeHeap.Model;
using NativeHeap.Present.Plots;
using NativeHeap.Testing;
using PuppeteerSharp;

namespace NativeHeap.Present.Tests.Plots;

/// <summary>Flame graphs in a real browser: what a click and a search do; and the boxes of a differential one.</summary>
public sealed class FlameGraphTests : IDisposable
{
    private static readonly XNamespace s_svg = "http://www.w3.org/2000/svg";

    private static readonly string[] s_browsers = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];

    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task A_click_zooms_a_search_marks_and_the_words_lead_back()
    {
        var chromium = s_browsers.FirstOrDefault(File.Exists);
        Assert.SkipUnless(chromium is not null, "no Chromium is installed");
        using (var profile = Profile.Open(SampleTrace.Build().Write(_folder["a.nheap"])))
        using (var writer = new StreamWriter(_folder["flame.svg"]))
        {
            var (_, root) = CostView.TopDown(profile, new StackQuestion { By = StackMeasure.Allocated }, 0);
            FlameGraph.Write(writer, "sample", root, byBlocks: false, 1000);
        }

        await using var browser = await Puppeteer.LaunchAsync(new LaunchOptions
        {
            ExecutablePath = chromium,
            Args = ["--no-sandbox", "--disable-gpu"], // tests may run as root, in containers
        });
        await using var page = await browser.NewPageAsync();
        var errors = new List<string>();
        page.PageError += (_, error) => errors.Add(error.Message);
        page.Dialog += async (_, dialog) => await dialog.Dialog.Accept("^pa?rse");
        await page.GoToAsync("file://" + _folder["flame.svg"]);
        var before = await Widths(page);

        await Click(page, "[data-n='parse(std::string)'] rect");
        var zoomed = await Widths(page);
        Assert.Equal(before["all"], zoomed["parse(std::string)"], 1.0); // as wide as the whole was
        Assert.Equal(before["all"], zoomed["main"], 1.0); // its caller, too
        Assert.DoesNotContain("load", zoomed.Keys); // beside it

        await Click(page, "#reset");
        Assert.Equal(before, await Widths(page));

        await Click(page, "#search");
        Assert.Equal(["parse(std::string)"], await page.EvaluateExpressionAsync<string[]>(
            "Array.from(document.querySelectorAll('.found')).map(g => g.dataset.n)"));
        var words = await page.EvaluateExpressionAsync<string>("document.getElementById('words').textContent");
        Assert.Equal("^pa?rse: 5.4 % in 1 boxes", words); // 300 of 5,524 bytes
        Assert.Empty(errors);
    }

    [Fact]
    public void A_differential_graph_shows_what_grew_shrank_stayed_came_and_went()
    {
        var svg = Diff(
            [("main", "grows", 100), ("main", "shrinks", 500), ("main", "stays", 50), ("main", "goes", 200)],
            [("main", "grows", 400), ("main", "shrinks", 100), ("main", "stays", 50), ("main", "comes", 250)]);
        var boxes = XDocument.Parse(svg).Descendants(s_svg + "g").Where(group => group.Attribute("data-n") is { Value: not "malloc" })
            .ToDictionary(
                group => group.Attribute("data-n")!.Value,
                group => (Hint: group.Element(s_svg + "title")!.Value, Rect: group.Element(s_svg + "rect")!));

        Assert.Equal("grows\n+300 B (100 B → 400 B)", boxes["grows"].Hint);
        Assert.Equal("shrinks\n-400 B (500 B → 100 B)", boxes["shrinks"].Hint);
        Assert.Equal("goes\n-200 B (200 B → 0 B)", boxes["goes"].Hint);
        Assert.Equal("comes\n+250 B (0 B → 250 B)", boxes["comes"].Hint);
        Assert.Equal("main\n-50 B (850 B → 800 B)", boxes["main"].Hint);
        Assert.All(["grows", "comes"], name => Assert.StartsWith("hsl(8,", Fill(boxes[name].Rect), StringComparison.Ordinal));
        Assert.All(["shrinks", "goes", "main"], name => Assert.StartsWith("hsl(215,", Fill(boxes[name].Rect), StringComparison.Ordinal));
        Assert.StartsWith("hsl(0,0%", Fill(boxes["stays"].Rect), StringComparison.Ordinal);

        // As wide as the larger state: 400 + 500 + 50 + 200 + 250 = 1,400.
        var whole = Width(boxes["main"].Rect);
        Assert.Equal(whole * 500 / 1400, Width(boxes["shrinks"].Rect), 1.0);
        Assert.Equal(whole * 250 / 1400, Width(boxes["comes"].Rect), 1.0);
    }

    private static string Fill(XElement rect) => rect.Attribute("fill")!.Value;

    private static double Width(XElement rect) => double.Parse(rect.Attribute("width")!.Value, CultureInfo.InvariantCulture);

    private static async Task Click(IPage page, string selector) => await (await page.QuerySelectorAsync(selector)).ClickAsync();

    // Of the boxes that are shown.
    private static async Task<Dictionary<string, double>> Widths(IPage page)
    {
        const string Script = """
            JSON.stringify(Object.fromEntries(Array.from(document.querySelectorAll('#boxes > g'))
                .filter(g => g.style.display !== 'none')
                .map(g => [g.dataset.n, g.querySelector('rect').getBoundingClientRect().width])))
            """;
        return JsonSerializer.Deserialize<Dictionary<string, double>>(await page.EvaluateExpressionAsync<string>(Script))!;
    }

    private string Diff((string Caller, string Function, long Bytes)[] before, (string Caller, string Function, long Bytes)[] after)
    {
        using var first = Profile.Open(Trace("before.nheap", before));
        using var second = Profile.Open(Trace("after.nheap", after));
        var (_, root) = TreeDiff.Compare(first, second, new DiffQuestion(), 0);
        using var text = new StringWriter();
        FlameGraph.WriteDiff(text, "diff", root, byBlocks: false, 1400);
        return text.ToString();
    }

    private string Trace(string name, (string Caller, string Function, long Bytes)[] stacks)
    {
        var trace = new TraceBuilder();
        var process = trace.Process(1);
        var module = trace.Module("/srv/server");
        var malloc = trace.Entry(EntryPoint.Malloc);
        var callers = stacks.Select(stack => stack.Caller).Distinct()
            .ToDictionary(caller => caller, caller => trace.Code(module, 0x100, new ResolvedFrame(caller, "a.c", 1, false)));
        foreach (var ((caller, function, bytes), i) in stacks.Select((stack, i) => (stack, i)))
        {
            var code = trace.Code(module, 0x1000 + (i * 16), new ResolvedFrame(function, "a.c", 10 + i, false));
            trace.Blocks(process, trace.Stack(callers[caller], code, malloc), 1, -1, 1, bytes);
        }

        return trace.Write(_folder[name]);
    }
}
