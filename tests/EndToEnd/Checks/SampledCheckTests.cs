using System.Diagnostics;
using System.Globalization;

namespace NativeHeap.EndToEnd.Checks;

/// <summary>A heap-check at the end has every block.</summary>
public sealed class SampledCheckTests : IDisposable
{
    private static readonly TimeSpan s_patience = TimeSpan.FromMinutes(2);

    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task A_program_that_is_checked_at_its_end_cannot_be_sampled_and_is_checked_as_if_nobody_had_asked()
    {
        var json = _folder["check.json"];
        var start = new ProcessStartInfo(
            Built.Supervisor, ["dotnet", Built.Command, "check", "--json", json, "--", Built.Target("lose"), "wait"])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        using var run = Process.Start(start)!;
        var errors = run.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
        var pid = int.Parse(run.StandardOutput.ReadLine()!, CultureInfo.InvariantCulture);

        var asked = Program.Run(["dotnet", Built.Command, "sample", "-p", $"{pid}", "1MiB"]).Expect(3);
        Assert.Equal(
            [$"error: process {pid} cannot be sampled: its heap is checked at its end, which needs every block"], asked.Said);

        run.StandardInput.Write('\n');
        run.StandardInput.Close();
        Assert.True(run.WaitForExit(s_patience), "it hangs");
        var check = CheckRun.Read(new Outcome(run.ExitCode, "", await errors).Expect(23), json).Check;
        Assert.True(check.IsComplete);
        Assert.Equal("", check.Notes);
        Assert.Equal((200, 2), check.Of("lose")["definite"]); // one of before it was asked, one of after
        Assert.Equal((100, 2), check.Of("lose")["indirect"]);
    }
}
