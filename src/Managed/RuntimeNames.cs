using System.Text;

namespace NativeHeap.Managed;

/// <summary>Names of methods whose assembly cannot be read, or that have none, from what the runtime's events say of
/// them.</summary>
internal static class RuntimeNames
{
    private const string DynamicClass = "dynamicClass"; // where the runtime puts what belongs to no class

    /// <summary>As <see cref="MethodText"/> writes it, as far as an event tells.</summary>
    internal static string Describe(MethodCode code)
    {
        var name = CompilerName.Readable(code.Name);
        var parameters = $"({string.Join(", ", Parameters(code.Signature).Select(Readable))})";
        if (code.Namespace is "" or DynamicClass)
        {
            return name + parameters;
        }

        var type = code.Namespace;
        var nested = type.LastIndexOf('+');
        if (code.Name == "MoveNext" && nested > 0 && CompilerName.Parse(type[(nested + 1)..]) is { Kind: 'd' } machine)
        {
            // Without the assembly nothing says what its parameters were.
            return $"{TypeName(type[..nested])}.{CompilerName.Readable(machine.Parent)}";
        }

        return $"{TypeName(type)}.{name}{parameters}";
    }

    /// <summary>The parameters of a signature, in parentheses, as the runtime spells them.</summary>
    internal static string ParameterText(string signature)
    {
        var open = signature.IndexOf("  (", StringComparison.Ordinal);
        return open < 0 ? "" : signature[(open + 2)..];
    }

    // Ns.Outer`1+Inner[System.Int32,System.__Canon] → Ns.Outer.Inner<int, __Canon>
    private static string TypeName(string type)
    {
        var bracket = type.IndexOf('[', StringComparison.Ordinal);
        var plain = bracket < 0 ? type : type[..bracket];
        var parts = plain.Split('+')
            .Where((part, index) => index == 0 || !CompilerName.IsClosure(part))
            .Select(SignatureText.WithoutArity);
        var name = string.Join('.', parts);
        if (bracket < 0 || !type.EndsWith(']'))
        {
            return name;
        }

        var arguments = Split(type[(bracket + 1)..^1]).Select(Readable);
        return $"{name}<{string.Join(", ", arguments)}>";
    }

    private static List<string> Parameters(string signature)
    {
        var text = ParameterText(signature);
        return text.Length > 2 && text.EndsWith(')') ? Split(text[1..^1]) : [];
    }

    // At commas that stand in no brackets.
    private static List<string> Split(string text)
    {
        var parts = new List<string>();
        var start = 0;
        var depth = 0;
        for (var i = 0; i < text.Length; i++)
        {
            depth += text[i] switch { '<' or '[' or '(' => 1, '>' or ']' or ')' => -1, _ => 0 };
            if (text[i] == ',' && depth == 0)
            {
                parts.Add(text[start..i]);
                start = i + 1;
            }
        }

        parts.Add(text[start..]);
        return parts;
    }

    private static string Readable(string type)
    {
        type = type.Trim();
        if (type.StartsWith("fnptr ", StringComparison.Ordinal))
        {
            return "delegate*";
        }

        if (type.EndsWith('&'))
        {
            return "ref " + Readable(type[..^1]);
        }

        if (type.EndsWith('*'))
        {
            return Readable(type[..^1]) + "*";
        }

        if (type.EndsWith(']') && type.LastIndexOf('[') is > 0 and var bracket && IsArray(type.AsSpan(bracket + 1)))
        {
            return Readable(type[..bracket]) + type[bracket..];
        }

        return Named(type);
    }

    private static bool IsArray(ReadOnlySpan<char> tail) => tail[..^1].Trim(',').IsEmpty;

    private static string Named(string type)
    {
        foreach (var word in (string[])["class ", "value class "])
        {
            type = type.StartsWith(word, StringComparison.Ordinal) ? type[word.Length..] : type;
        }

        var open = type.IndexOfAny(['<', '[']);
        var plain = open < 0 ? type : type[..open];
        var name = Keyword(plain) ?? SignatureText.WithoutArity(plain[(plain.LastIndexOfAny(['.', '+']) + 1)..]);
        if (open < 0 || type[^1] is not ('>' or ']'))
        {
            return name;
        }

        var text = new StringBuilder(name).Append('<');
        return text.AppendJoin(", ", Split(type[(open + 1)..^1]).Select(Readable)).Append('>').ToString();
    }

    // ClrMD leaves the namespace out.
    private static string? Keyword(string type) => (type.StartsWith("System.", StringComparison.Ordinal) ? type[7..] : type) switch
    {
        "bool" or "Boolean" => "bool",
        "wchar" or "Char" => "char",
        "int8" or "SByte" => "sbyte",
        "unsigned int8" or "Byte" => "byte",
        "int16" or "Int16" => "short",
        "unsigned int16" or "UInt16" => "ushort",
        "int32" or "Int32" => "int",
        "unsigned int32" or "UInt32" => "uint",
        "int64" or "Int64" => "long",
        "unsigned int64" or "UInt64" => "ulong",
        "int" or "IntPtr" => "nint",
        "unsigned int" or "UIntPtr" => "nuint",
        "float32" or "Single" => "float",
        "float64" or "Double" => "double",
        "Decimal" => "decimal",
        "String" => "string",
        "Object" => "object",
        _ => null,
    };
}
