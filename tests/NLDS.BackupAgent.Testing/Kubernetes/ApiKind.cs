using System.Text.Json.Nodes;

namespace NLDS.BackupAgent.Testing.Kubernetes;

/// <summary>One kind of object in one version of its group, as discovery describes it.</summary>
internal sealed record ApiKind(string Group, string Version, string Plural, string Kind, bool IsNamespaced, IReadOnlySet<string> Verbs, JsonObject Description)
{
    public string GroupVersion => Group.Length == 0 ? Version : $"{Group}/{Version}";

    /// <summary>As error messages name it: <c>deployments.apps</c>.</summary>
    public string Qualified => Group.Length == 0 ? Plural : $"{Plural}.{Group}";

    /// <summary>Where objects are kept: versions share them.</summary>
    public string Storage => Qualified;

    /// <summary>Custom resources are checked by a schema, and not by code.</summary>
    public bool IsCustom { get; init; }

    public bool HasSubresource(string name) =>
        Description["subresources"] is JsonArray all && all.Any(s => s!["subresource"]!.GetValue<string>() == name);
}
