namespace NativeHeap.EndToEnd;

/// <summary>
/// Collector and programs as docs/services.md has them in containers and services, as far as roots (chroot), namespaces and users of
/// their own go: what is shared is named, and nothing else is.
/// </summary>
public sealed class ContainersTests : IDisposable
{
    private const int User = 12345;

    // container ROOT USER PATHS -- COMMAND…: the paths are the same inside and outside.
    private const string Container =
        """
        set -e
        root=$1 user=$2; shift 2
        mkdir -p "$root/proc" "$root/tmp"; chmod 1777 "$root/tmp"
        for link in /bin /lib /lib64 /sbin; do [ ! -L "$link" ] || cp -P "$link" "$root/"; done
        while [ "$1" != -- ]; do mkdir -p "$root$1"; mount --bind "$1" "$root$1"; shift; done
        shift
        mount -t proc proc "$root/proc"
        exec chroot "$root" setpriv --reuid="$user" --regid="$user" --clear-groups -- "$@"
        """;

    private readonly TempFolder _folder = new();

    public ContainersTests()
    {
        Assert.SkipUnless(Environment.IsPrivilegedProcess, "needs root to make namespaces and to become another user");
        File.SetUnixFileMode(_folder.Path, (UnixFileMode)0x1ED); // 755
    }

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void A_program_in_an_image_with_the_library_and_the_socket_alone_is_recorded_to_its_end_by_a_collector_outside()
    {
        var shared = Directory.CreateDirectory(_folder["shared"]).FullName;
        using var collector = Listening.Begin(Path.Combine(shared, "socket"), _folder["traces"]);
        Record(collector, Inside(0, shared));
        collector.End().Expect(0);
    }

    [Fact]
    public void A_sidecar_records_a_program_of_its_user_with_which_it_shares_a_folder_alone()
    {
        // A volume of a pod is everybody's: listen takes a folder of its own in it.
        var volume = Directory.CreateDirectory(_folder["volume"]).FullName;
        File.SetUnixFileMode(volume, (UnixFileMode)0x1FF);
        var socket = Path.Combine(volume, "own", "socket");
        var traces = Mine("traces");
        using (var refused = Listening.Begin(Path.Combine(volume, "socket"), traces, Sidecar(volume, traces)))
        {
            Assert.Contains("everybody can write", Assert.Single(refused.WaitForEnd().Expect(2).Said), StringComparison.Ordinal);
        }
        var sidecar = Sidecar(volume, traces);
        using var collector = Listening.Begin(socket, traces, sidecar with
        {
            Wrapper = [.. sidecar.Wrapper, "sh", "-c", $"mkdir -m 700 {volume}/own && exec \"$@\"", "sh"],
        });
        Record(collector, Inside(User, volume));
    }

    [Fact]
    public void A_service_is_recorded_by_a_collector_of_its_user_in_the_folders_that_systemd_makes()
    {
        var runtime = Mine("run"); // RuntimeDirectoryMode=0700
        File.SetUnixFileMode(runtime, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        var traces = Mine("lib"); // StateDirectory: 0755
        using var collector = Listening.Begin(Path.Combine(runtime, "socket"), traces, As(User));
        Record(collector, As(User).Wrapper);
        using var other = Program.Start([Built.Target("exchange"), "1000"], collector.Around with { Wrapper = As(User + 1).Wrapper });
        Assert.Equal("", other.Wait().Expect(0).Errors); // unprofiled
        collector.End().Expect(0);
        Assert.Equal(2, Directory.GetFiles(traces).Length);
    }

    // Totals are exact and the trace is whole.
    private static void Record(Listening collector, IReadOnlyList<string> wrapper)
    {
        collector.Await(() => Path.Exists(collector.Socket), "the collector does not listen");
        var around = collector.Around with { Wrapper = wrapper };
        string[] preload = ["env", $"LD_PRELOAD={Built.Shim}", $"NATIVEHEAP_SOCKET={collector.Socket}"];
        var bare = around with { Environment = new Dictionary<string, string?>() };
        var own = Account.ParseTarget(Program.Run([.. preload, Built.Target("exchange"), "20000"], bare).Expect(0).Output);
        Program.Run([.. preload, Built.Target("exchange"), "nothing"], bare).Expect(0);
        collector.Await(
            () => Directory.GetFiles(collector.Traces, "*.nheap") is { Length: 2 } both && Array.TrueForAll(both, Listening.IsClosed),
            "there are no two whole traces");
        var reports = Directory.GetFiles(collector.Traces, "*.nheap").Select(Listening.Read)
            .OrderBy(report => report.Totals.Sums.Allocations).ToList();
        Assert.All(reports, report => Assert.True(report is { Complete: true, LostEvents: 0 }));
        Assert.Equal(own.Sums + reports[0].Totals.Sums, reports[1].Totals.Sums);
    }

    private static Surroundings As(int user) => new()
    {
        Wrapper = ["setpriv", $"--reuid={user}", $"--regid={user}", "--clear-groups", "--"],
        Environment = new Dictionary<string, string?> { ["HOME"] = "/tmp", ["DOTNET_CLI_HOME"] = "/tmp" },
    };

    private Surroundings Sidecar(string volume, string traces) => As(User) with
    {
        Wrapper = Inside(User, volume, traces, Path.GetDirectoryName(Built.Command)!, Path.GetDirectoryName(Path.GetDirectoryName(Built.Shim)!)!),
    };

    // In a container with a root and processes of its own.
    private string[] Inside(int user, params string[] shared)
    {
        var root = Directory.CreateDirectory(_folder[$"{Guid.NewGuid():N}"]).FullName;
        string[] always = ["/usr", "/dev", Path.GetDirectoryName(Built.Shim)!];
        return
        [
            "unshare", "--mount", "--pid", "--ipc", "--uts", "--fork", "--kill-child", "sh", "-c", Container, "sh", root, $"{user}",
            .. always, .. shared, "--",
        ];
    }

    private string Mine(string name)
    {
        var folder = Directory.CreateDirectory(_folder[name]).FullName;
        Program.Run(["chown", $"{User}:{User}", folder]).Expect(0);
        return folder;
    }
}
