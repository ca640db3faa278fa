namespace NativeHeap.Wire.Generator;

/// <summary>What <c>records.def</c> says, names as written there.</summary>
internal sealed class Definitions
{
    /// <summary><see cref="Constant"/>, <see cref="Enumeration"/> and <see cref="Record"/> as they follow each other.</summary>
    public List<object> InOrder { get; } = [];
}

internal sealed class Constant(string type, string name, string value, string? remark)
{
    public string Type => type;

    public string Name => name;

    public string Value => value;

    public string? Remark => remark;
}

internal sealed class Enumeration(string name, string type)
{
    public string Name => name;

    public string Type => type;

    public List<Constant> Members { get; } = [];
}

internal sealed class Record(string name)
{
    public string Name => name;

    public int Size { get; set; }

    public List<Field> Fields { get; } = [];
}

internal sealed class Field(string type, string name, int count, string? remark)
{
    public string Type => type;

    public string Name => name;

    /// <summary>Elements of an array, 0 for a single value.</summary>
    public int Count => count;

    public string? Remark => remark;
}
