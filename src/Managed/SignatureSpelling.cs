using System.Collections.Immutable;
using System.Reflection.Metadata;

namespace NativeHeap.Managed;

/// <summary>Signatures as the runtime spells them in its events (PrettyPrintSig of coreclr), to find a method again among
/// overloads.</summary>
internal sealed class SignatureSpelling : ISignatureTypeProvider<string, object?>
{
    private const byte ValueType = 0x11; // ELEMENT_TYPE_VALUETYPE

    private static readonly SignatureSpelling Instance = new();

    /// <summary>The parameters of a method, in parentheses.</summary>
    /// <exception cref="BadImageFormatException">The metadata is damaged.</exception>
    internal static string Parameters(MethodDefinition method) =>
        $"({string.Join(',', method.DecodeSignature(Instance, null).ParameterTypes)})";

    public string GetPrimitiveType(PrimitiveTypeCode typeCode) => typeCode switch
    {
        PrimitiveTypeCode.Boolean => "bool",
        PrimitiveTypeCode.Byte => "unsigned int8",
        PrimitiveTypeCode.SByte => "int8",
        PrimitiveTypeCode.Char => "wchar",
        PrimitiveTypeCode.Int16 => "int16",
        PrimitiveTypeCode.UInt16 => "unsigned int16",
        PrimitiveTypeCode.Int32 => "int32",
        PrimitiveTypeCode.UInt32 => "unsigned int32",
        PrimitiveTypeCode.Int64 => "int64",
        PrimitiveTypeCode.UInt64 => "unsigned int64",
        PrimitiveTypeCode.Single => "float32",
        PrimitiveTypeCode.Double => "float64",
        PrimitiveTypeCode.IntPtr => "int",
        PrimitiveTypeCode.UIntPtr => "unsigned int",
        PrimitiveTypeCode.Object => "class System.Object",
        PrimitiveTypeCode.String => "class System.String",
        PrimitiveTypeCode.TypedReference => "refany",
        PrimitiveTypeCode.Void => "void",
        _ => typeCode.ToString(),
    };

    public string GetTypeFromDefinition(MetadataReader reader, TypeDefinitionHandle handle, byte rawTypeKind)
    {
        var type = reader.GetTypeDefinition(handle);
        return Spell(reader.GetString(type.Namespace), reader.GetString(type.Name), rawTypeKind);
    }

    public string GetTypeFromReference(MetadataReader reader, TypeReferenceHandle handle, byte rawTypeKind)
    {
        var type = reader.GetTypeReference(handle);
        return Spell(reader.GetString(type.Namespace), reader.GetString(type.Name), rawTypeKind);
    }

    public string GetTypeFromSpecification(
        MetadataReader reader, object? genericContext, TypeSpecificationHandle handle, byte rawTypeKind) =>
        reader.GetTypeSpecification(handle).DecodeSignature(this, genericContext);

    public string GetSZArrayType(string elementType) => elementType + "[]";

    public string GetArrayType(string elementType, ArrayShape shape) =>
        $"{elementType}[{new string(',', Math.Clamp(shape.Rank, 1, 32) - 1)}]";

    public string GetByReferenceType(string elementType) => elementType + "&";

    public string GetPointerType(string elementType) => elementType + "*";

    public string GetPinnedType(string elementType) => elementType;

    public string GetModifiedType(string modifier, string unmodifiedType, bool isRequired) => unmodifiedType;

    public string GetFunctionPointerType(MethodSignature<string> signature) =>
        $"fnptr {signature.ReturnType}({string.Join(',', signature.ParameterTypes)})";

    public string GetGenericInstantiation(string genericType, ImmutableArray<string> typeArguments) =>
        $"{genericType}<{string.Join(',', typeArguments)}>";

    public string GetGenericTypeParameter(object? genericContext, int index) => $"!{index}";

    public string GetGenericMethodParameter(object? genericContext, int index) => $"!!{index}";

    private static string Spell(string space, string name, byte kind) =>
        $"{(kind == ValueType ? "value class" : "class")} {(space.Length == 0 ? name : $"{space}.{name}")}";
}
