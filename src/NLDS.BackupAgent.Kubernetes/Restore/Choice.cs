using NLDS.BackupAgent.Repository.Sources;

namespace NLDS.BackupAgent.Kubernetes.Restore;

/// <summary>Which of a backup's objects are wanted: kinds, or objects of kinds, as kubectl takes them. The namespace itself always is.</summary>
internal sealed class Choice
{
    private readonly IReadOnlyList<Pattern> only;
    private readonly IReadOnlyList<Pattern> except;

    public Choice(RestoreRequest request)
    {
        (only, except) = (Read(RestoreOptionNames.Only), Read(RestoreOptionNames.Except));

        IReadOnlyList<Pattern> Read(string name) =>
            request.Options.TryGetValue(name, out var values) ? [.. values.SelectMany(value => value.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries)).Select(Pattern.Parse)] : [];
    }

    public bool IsAll => only.Count == 0 && except.Count == 0;

    /// <exception cref="UsageException">Something was named that the backup does not have.</exception>
    public IReadOnlyList<RestoreItem> Of(IReadOnlyList<RestoreItem> items)
    {
        if (only.FirstOrDefault(pattern => !items.Any(pattern.Matches)) is { } unknown)
        {
            throw new UsageException($"The backup has no {unknown}. It has {string.Join(", ", items.Select(item => item.Resource.Name).Distinct())}; write a kind, or KIND/NAME.");
        }

        return
        [
            .. items.Where(item => item.Resource.Name == Objects.Kinds.Namespaces
                || ((only.Count == 0 || only.Any(pattern => pattern.Matches(item))) && !except.Any(pattern => pattern.Matches(item)))),
        ];
    }

    /// <param name="Kind">The plural, with its group or without.</param>
    /// <param name="Name">Null for all of the kind.</param>
    private sealed record Pattern(string Kind, string? Name)
    {
        public static Pattern Parse(string text) => text.Split('/') switch
        {
            [{ Length: > 0 } kind] => new Pattern(kind, null),
            [{ Length: > 0 } kind, { Length: > 0 } name] => new Pattern(kind, name),
            _ => throw new UsageException($"'{text}' names no objects. Write a kind such as secrets or deployments.apps, or KIND/NAME."),
        };

        public bool Matches(RestoreItem item) => (Kind == item.Resource.Name || Kind == item.Resource.Plural) && (Name is null || Name == item.Name);

        public override string ToString() => Name is null ? Kind : $"{Kind}/{Name}";
    }
}
