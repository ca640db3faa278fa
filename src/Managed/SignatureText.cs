using System.Collections.Immutable;
using System.Reflection.Metadata;

namespace NativeHeap.Managed;

/// <summary>Names of generic parameters where a signature stands.</summary>
/// <param name="Type">Of the type, by position.</param>
/// <param name="Method">Of the method, by position.</param>
internal sealed record GenericNames(IReadOnlyList<string> Type, IReadOnlyList<string> Method)
{
    internal static GenericNames None { get; } = new([], []);
}

/// <summary>Types in signatures as C# writes them: keywords, no namespaces, <c>List&lt;int&gt;</c>, <c>int?</c>.</summary>
internal sealed class SignatureText : ISignatureTypeProvider<string, GenericNames>
{
    internal static SignatureText Instance { get; } = new();

    public string GetPrimitiveType(PrimitiveTypeCode typeCode) => typeCode switch
    {
        PrimitiveTypeCode.Boolean => "bool",
        PrimitiveTypeCode.Byte => "byte",
        PrimitiveTypeCode.SByte => "sbyte",
        PrimitiveTypeCode.Char => "char",
        PrimitiveTypeCode.Int16 => "short",
        PrimitiveTypeCode.UInt16 => "ushort",
        PrimitiveTypeCode.Int32 => "int",
        PrimitiveTypeCode.UInt32 => "uint",
        PrimitiveTypeCode.Int64 => "long",
        PrimitiveTypeCode.UInt64 => "ulong",
        PrimitiveTypeCode.Single => "float",
        PrimitiveTypeCode.Double => "double",
        PrimitiveTypeCode.IntPtr => "nint",
        PrimitiveTypeCode.UIntPtr => "nuint",
        PrimitiveTypeCode.Object => "object",
        PrimitiveTypeCode.String => "string",
        PrimitiveTypeCode.Void => "void",
        _ => typeCode.ToString(),
    };

    public string GetTypeFromDefinition(MetadataReader reader, TypeDefinitionHandle handle, byte rawTypeKind)
    {
        var type = reader.GetTypeDefinition(handle);
        return Special(reader.GetString(type.Namespace), WithoutArity(reader.GetString(type.Name)));
    }

    public string GetTypeFromReference(MetadataReader reader, TypeReferenceHandle handle, byte rawTypeKind)
    {
        var type = reader.GetTypeReference(handle);
        return Special(reader.GetString(type.Namespace), WithoutArity(reader.GetString(type.Name)));
    }

    public string GetTypeFromSpecification(
        MetadataReader reader, GenericNames genericContext, TypeSpecificationHandle handle, byte rawTypeKind) =>
        reader.GetTypeSpecification(handle).DecodeSignature(this, genericContext);

    public string GetSZArrayType(string elementType) => elementType + "[]";

    public string GetArrayType(string elementType, ArrayShape shape) =>
        $"{elementType}[{new string(',', Math.Clamp(shape.Rank, 1, 32) - 1)}]";

    public string GetByReferenceType(string elementType) => "ref " + elementType;

    public string GetPointerType(string elementType) => elementType + "*";

    public string GetPinnedType(string elementType) => elementType;

    public string GetModifiedType(string modifier, string unmodifiedType, bool isRequired) => unmodifiedType;

    public string GetFunctionPointerType(MethodSignature<string> signature) => "delegate*";

    public string GetGenericInstantiation(string genericType, ImmutableArray<string> typeArguments) =>
        genericType == "Nullable" && typeArguments.Length == 1
            ? typeArguments[0] + "?"
            : $"{genericType}<{string.Join(", ", typeArguments)}>";

    public string GetGenericTypeParameter(GenericNames genericContext, int index) =>
        index < genericContext.Type.Count ? genericContext.Type[index] : $"!{index}";

    public string GetGenericMethodParameter(GenericNames genericContext, int index) =>
        index < genericContext.Method.Count ? genericContext.Method[index] : $"!!{index}";

    /// <summary>A type's name without the number of its parameters.</summary>
    internal static string WithoutArity(string name)
    {
        var tick = name.IndexOf('`', StringComparison.Ordinal);
        return tick < 0 ? name : name[..tick];
    }

    private static string Special(string space, string name) => (space, name) switch
    {
        ("System", "Decimal") => "decimal",
        ("System", "String") => "string",
        ("System", "Object") => "object",
        _ => name,
    };
}
