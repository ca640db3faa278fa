using System.Diagnostics;
using System.Globalization;
using System.Reflection;
using System.Text;

namespace Truth;

/// <summary>
/// What the runtime itself said of every stack that allocated. Lines of the file, fields parted by tabs:
/// <c>method ID MODULE MVID TOKEN TYPE NAME how</c> (TOKEN 0: made at run time; how: "pinvoke", or nothing), <c>stack ID METHOD+OFFSET…</c> (innermost
/// caller first; OFFSET into the method's native code), <c>block ADDRESS STACK KIND</c>. Numbers other than ids are
/// hexadecimal. May be used from several threads.
/// </summary>
internal static class Ledger
{
    private static readonly Lock s_lock = new();
    private static readonly Dictionary<string, int> s_methods = [];
    private static readonly Dictionary<string, int> s_stacks = [];
    private static readonly Dictionary<string, int> s_kinds = [];
    private static StreamWriter _file = null!;

    /// <summary>Blocks by kind of context.</summary>
    public static IReadOnlyDictionary<string, int> Kinds => s_kinds;

    public static int Blocks { get; private set; }

    public static void Open(string path) => _file = new StreamWriter(path);

    public static void Close()
    {
        lock (s_lock)
        {
            _file.Dispose();
        }
    }

    public static void Record(string kind, nint block, StackTrace trace)
    {
        if (block == 0)
        {
            throw new InvalidOperationException("no block");
        }
        lock (s_lock)
        {
            var stack = Stack(trace);
            _file.WriteLine(string.Create(CultureInfo.InvariantCulture, $"block\t{block:x}\t{stack}\t{kind}"));
            s_kinds[kind] = s_kinds.GetValueOrDefault(kind) + 1;
            Blocks++;
        }
    }

    private static int Stack(StackTrace trace)
    {
        var text = new StringBuilder();
        for (var i = 0; i < trace.FrameCount; i++)
        {
            var frame = trace.GetFrame(i)!;
            text.Append('\t').Append(Method(frame.GetMethod())).Append('+');
            text.Append(CultureInfo.InvariantCulture, $"{frame.GetNativeOffset():x}");
        }
        return Id(s_stacks, "stack", text.ToString());
    }

    private static int Method(MethodBase? method)
    {
        if (method is null)
        {
            return Id(s_methods, "method", "\t\t\t0\t\t\t");
        }
        var (mvid, token) = (method.Module.ModuleVersionId, Token(method));
        var module = token == 0 ? "" : ModuleName(method.Module);
        var type = method.DeclaringType is { } declaring ? Definition(declaring).FullName : "";
        var how = method.Attributes.HasFlag(MethodAttributes.PinvokeImpl) ? "pinvoke" : "";
        return Id(
            s_methods,
            "method",
            string.Create(CultureInfo.InvariantCulture, $"\t{module}\t{mvid}\t{token:x}\t{type}\t{method.Name}\t{how}"));
    }

    // An emitted assembly has no file.
    private static string ModuleName(Module module) => module.Assembly.IsDynamic
        ? module.Assembly.GetName().Name!
        : Path.GetFileName(module.FullyQualifiedName);

    private static Type Definition(Type type) => type.IsGenericType ? type.GetGenericTypeDefinition() : type;

    private static int Token(MethodBase method)
    {
        try
        {
            return method.MetadataToken;
        }
        catch (InvalidOperationException)
        {
            return 0; // a DynamicMethod has none
        }
    }

    private static int Id(Dictionary<string, int> known, string table, string value)
    {
        if (!known.TryGetValue(value, out var id))
        {
            id = known.Count + 1;
            known.Add(value, id);
            _file.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{table}\t{id}{value}"));
        }
        return id;
    }
}
