using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;
using System.Text.Json.Serialization.Metadata;
using NLDS.BackupAgent.Commands;
using NLDS.BackupAgent.Health;
using NLDS.BackupAgent.Recovery.Marks;

namespace NLDS.BackupAgent.Output;

/// <summary>Every document that the program prints or serves.</summary>
[JsonSourceGenerationOptions(
    WriteIndented = true, PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, UseStringEnumConverter = true, DefaultIgnoreCondition = JsonIgnoreCondition.Never)]
[JsonSerializable(typeof(CheckDocument))]
[JsonSerializable(typeof(BackupDocument))]
[JsonSerializable(typeof(ListDocument))]
[JsonSerializable(typeof(VerifyDocument))]
[JsonSerializable(typeof(RestoreDocument))]
[JsonSerializable(typeof(PruneDocument))]
[JsonSerializable(typeof(BootstrapDocument))]
[JsonSerializable(typeof(DrillDocument))]
[JsonSerializable(typeof(RecoveryDocument))]
[JsonSerializable(typeof(RecoveryPlanDocument))]
[JsonSerializable(typeof(RecoveryMark))]
[JsonSerializable(typeof(VersionDocument))]
[JsonSerializable(typeof(StatusDocument))]
[JsonSerializable(typeof(HealthDocument))]
internal sealed partial class ReportJson : JsonSerializerContext;

/// <summary>Writes them.</summary>
internal static class Report
{
    // Only terminals, files and our own page read this; escaping every accent would serve nobody.
    private static readonly JsonSerializerOptions Readable = new(ReportJson.Default.Options) { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    public static string Json<T>(T document) => JsonSerializer.Serialize(document, (JsonTypeInfo<T>)Readable.GetTypeInfo(typeof(T)));
}
