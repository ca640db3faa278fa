namespace NativeHeap.EndToEnd.Checks;

/// <summary>Reports for CI, read by the junitparser of Python.</summary>
public sealed class JUnitTests : IDisposable
{
    private const string Parser = """
        import sys
        from junitparser import JUnitXml, Failure
        xml = JUnitXml.fromfile(sys.argv[1])
        print(xml.tests, xml.failures, xml.errors)
        for suite in xml:
            print(suite.tests, suite.failures, suite.errors)
            for case in suite:
                print(case.classname, '|', case.name, '|', [(type(r).__name__, r.type, 'lose' in r.text) for r in case.result])
        """;

    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void A_leak_is_a_failed_test_with_its_stack()
    {
        Assert.SkipUnless(Tool.TryRun("/usr/bin/python3", "-c", "import junitparser").ExitCode == 0, "python3-junitparser is not installed");
        var file = _folder["leaks.xml"];
        CheckRun.Run(_folder, [Built.Target("lose"), "return"], null, "--junit", file).Outcome.Expect(23);

        Assert.Equal(
            """
            3 2 0
            3 2 0
            nativeheap.check | heap-check at level normal | []
            nativeheap.check | 100 bytes in 1 block definite: lose | [('Failure', 'definite', True)]
            nativeheap.check | 50 bytes in 1 block indirect: lose | [('Failure', 'indirect', True)]

            """,
            Tool.Run("/usr/bin/python3", "-c", Parser, file));
        CheckRun.Run(_folder, [Built.Target("lose"), "return"], null, "--junit", file).Outcome.Expect(2);
    }
}
