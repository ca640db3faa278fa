using System.Text;
using System.Text.RegularExpressions;
using NativeHeap.Model;

namespace NativeHeap.Present.Plots;

/// <summary>
/// A stack in a few words: the innermost frame that is neither the allocator, nor a wrapper around it, nor the language's
/// runtime. That is the place a person would name.
/// </summary>
public static partial class StackLabel
{
    private const int MostLetters = 44;
    private const string Anonymous = "(anonymous namespace)::";

    private static readonly string[] s_runtimeModules = ["libc.so", "libc-", "ld-linux", "libstdc++.so", "libc++.so", "libgcc_s.so"];

    // Inlined functions are known by their last name alone; where they are written tells whose they are.
    private static readonly string[] s_runtimeFolders = ["/include/c++/", "/c++/v1/", "/rustc/", "/library/alloc/src/", "/library/std/src/"];

    private static readonly string[] s_runtimeNames = ["std::", "__gnu_cxx::", "__cxxabiv1::", "operator new", "alloc::", "core::"];

    /// <summary><c>function (module)</c>, or <c>module+0x12ab</c> for a place without a name.</summary>
    public static string Of(CallStack stack)
    {
        var frames = stack.Frames.Where(frame => frame.Marker is null).ToList();
        var frame = frames.Find(frame => !IsPlumbing(frame)) ?? frames.FirstOrDefault();
        if (frame is null)
        {
            return "(no stack)";
        }
        var module = frame.Location.Module is { } binary ? Path.GetFileName(binary.Path) : null;
        if (frame.Name?.Function is not { } function)
        {
            return module is null ? $"0x{frame.Location.Offset:x}" : $"{module}+0x{frame.Location.Offset:x}";
        }
        var name = Labels.Shorten(BareName(function), MostLetters);
        return module is null ? name : $"{name} ({Labels.Shorten(module, MostLetters / 2)})";
    }

    /// <summary>The module of that place.</summary>
    public static string ModuleOf(CallStack stack)
    {
        var frames = stack.Frames.Where(frame => frame.Marker is null).ToList();
        var frame = frames.Find(frame => !IsPlumbing(frame)) ?? frames.FirstOrDefault();
        return frame?.Location.Module is { } module
            ? Labels.Shorten(Path.GetFileName(module.Path), MostLetters)
            : frame is null ? "(no stack)" : "(code of no module)";
    }

    /// <summary>
    /// A demangled name without return type, parameters, template arguments and anonymous namespaces:
    /// <c>std::vector&lt;int&gt; a::f&lt;int&gt;(int) const</c> gives <c>a::f</c>.
    /// </summary>
    public static string BareName(string function)
    {
        var name = new StringBuilder();
        var depth = 0;
        for (var i = 0; i < function.Length; i++)
        {
            var letter = function[i];
            if (depth == 0 && string.CompareOrdinal(function, i, "operator", 0, 8) == 0 && IsWordStart(function, i))
            {
                var end = EndOfOperator(function, i + 8);
                name.Append(function, i, end - i);
                i = end - 1;
            }
            else if (depth == 0 && string.CompareOrdinal(function, i, Anonymous, 0, Anonymous.Length) == 0)
            {
                i += Anonymous.Length - 1;
            }
            else if (letter is '<' or '(' or '[' or '{')
            {
                // Parameters end the name, unless more follows (a lambda or a local class of the function).
                if (letter == '(' && depth == 0 && function.IndexOf(")::", i, StringComparison.Ordinal) < 0)
                {
                    break;
                }
                depth++;
            }
            else if (letter is '>' or ')' or ']' or '}')
            {
                depth = Math.Max(0, depth - 1);
            }
            else if (depth == 0)
            {
                if (letter == ' ')
                {
                    name.Clear(); // what stood before was a return type
                }
                else
                {
                    name.Append(letter);
                }
            }
        }
        return name.Length == 0 ? function : name.ToString();
    }

    private static bool IsPlumbing(Frame frame)
    {
        var module = frame.Location.Module is { } binary ? Path.GetFileName(binary.Path) : "";
        if (s_runtimeModules.Any(start => module.StartsWith(start, StringComparison.Ordinal)))
        {
            return true;
        }
        if (frame.Name is not { Function: { } function, File: var file })
        {
            return false;
        }
        if (file is not null && s_runtimeFolders.Any(folder => file.Contains(folder, StringComparison.Ordinal)))
        {
            return true;
        }
        var name = BareName(function);
        return s_runtimeNames.Any(start => name.StartsWith(start, StringComparison.Ordinal)) || Wrapper().IsMatch(name);
    }

    private static bool IsWordStart(string text, int at) => at == 0 || !(char.IsLetterOrDigit(text[at - 1]) || text[at - 1] == '_');

    // operator() and operator<< hold what elsewhere opens and closes; operator new stands before a blank.
    private static int EndOfOperator(string text, int from)
    {
        var end = from;
        if (end + 1 < text.Length && text[end] == '(' && text[end + 1] == ')')
        {
            return end + 2;
        }
        while (end < text.Length && text[end] != '(' && !char.IsLetterOrDigit(text[from]) && !char.IsWhiteSpace(text[from]))
        {
            end++;
        }
        while (end < text.Length && text[end] is not ('(' or '<'))
        {
            end++;
        }
        return end;
    }

    // xmalloc, sqlite3Malloc, PyMem_RawRealloc, zmalloc_usable, g_strdup, ngx_palloc …
    [GeneratedRegex("(malloc|calloc|realloc|zalloc|palloc|memalign|strn?dup|memdup)[0-9]*(_.*|array|z)?$", RegexOptions.IgnoreCase | RegexOptions.CultureInvariant)]
    private static partial Regex Wrapper();
}
