using System.CommandLine;
using NativeHeap.Collect.Sessions;
using NativeHeap.Model;
using Spectre.Console;

namespace NativeHeap.Cli;

/// <summary><c>top</c>: a recorded process while it runs, or the list of all.</summary>
internal static class TopVerb
{
    private const int NarrowestColumns = 40;
    private const int FewestLines = 10;
    private const int KeyPause = 50; // ms

    private static readonly Option<int?> Pid = new("--pid", "-p")
    {
        HelpName = "PID",
        Description = "A process that is being recorded. Without it, all that are recorded are listed.",
    };

    private static readonly Option<long?> Interval = Quantities.DurationOption(
        "--interval", "Time between two looks (default 1s).");

    public static Verb Create()
    {
        var verb = new Verb(
            "top",
            "Shows where a recorded process's memory is while it runs, or all that are recorded: in a terminal again and again, else once.",
            "nativeheap top -p 4711")
        {
            Pid, Interval,
        };
        verb.SetAction(result =>
        {
            var interval = result.GetValue(Interval) switch
            {
                null => TimeSpan.FromSeconds(1),
                <= 0 => throw new ToolException("--interval must be more than 0", ExitCodes.Usage),
                { } nanoseconds => TimeSpan.FromMilliseconds(Math.Max(1, nanoseconds / 1_000_000)),
            };
            using ITopView view = result.GetValue(Pid) is { } pid
                ? new WatchedProcess(pid, ControlClient.TracePath(pid))
                : new RecordedProcessList();
            return Watch(view, interval);
        });
        return verb;
    }

    private static int Watch(ITopView view, TimeSpan interval)
    {
        if (Console.IsOutputRedirected)
        {
            foreach (var line in view.Draw(int.MaxValue, view.LinesWithoutTerminal))
            {
                Console.Out.WriteLine(line.TrimEnd());
            }
            return ExitCodes.Success;
        }
        // Both are put back whatever ends us, but for SIGKILL.
        AnsiConsole.AlternateScreen(() =>
        {
            AnsiConsole.Cursor.Hide();
            try
            {
                Loop(view, interval);
            }
            finally
            {
                AnsiConsole.Cursor.Show();
            }
        });
        return ExitCodes.Success;
    }

    private static void Loop(ITopView view, TimeSpan interval)
    {
        Console.TreatControlCAsInput = true;
        var next = 0L;
        while (true)
        {
            if (Environment.TickCount64 >= next)
            {
                Show(view);
                next = Environment.TickCount64 + (long)interval.TotalMilliseconds;
            }
            if (Console.IsInputRedirected || !Console.KeyAvailable)
            {
                Thread.Sleep((int)Math.Clamp(next - Environment.TickCount64, 1, KeyPause));
                continue;
            }
            var key = Console.ReadKey(intercept: true);
            if (key.KeyChar == 'q' || (key.Key == ConsoleKey.C && key.Modifiers.HasFlag(ConsoleModifiers.Control)))
            {
                return;
            }
            view.Take(key.KeyChar);
            next = 0;
        }
    }

    private static void Show(ITopView view)
    {
        var width = Math.Max(NarrowestColumns, Console.WindowWidth);
        var height = Math.Max(FewestLines, Console.WindowHeight);
        var lines = view.Draw(width, height);
        AnsiConsole.Cursor.SetPosition(1, 1);
        for (var i = 0; i < lines.Count; i++)
        {
            var style = i switch
            {
                _ when view.Headings.Contains(i) => new Style(decoration: Decoration.Bold),
                _ when i == lines.Count - 1 => new Style(decoration: Decoration.Invert),
                _ => Style.Plain,
            };
            // The last column stays free: a full line makes some terminals scroll.
            AnsiConsole.Write(new Text(lines[i].PadRight(width)[..(width - 1)], style));
            if (i < lines.Count - 1)
            {
                AnsiConsole.WriteLine();
            }
        }
    }
}
