using System.Text.Json.Serialization;

namespace NLDS.BackupAgent.ApplicationData.Tables;

/// <summary>A single string as JSON.</summary>
[JsonSerializable(typeof(string))]
internal sealed partial class TextJson : JsonSerializerContext;
