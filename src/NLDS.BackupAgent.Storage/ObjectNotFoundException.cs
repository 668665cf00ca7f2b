namespace NLDS.BackupAgent.Storage;

/// <summary>The store itself said that there is no such object. Nothing else may be turned into this exception.</summary>
public sealed class ObjectNotFoundException(ObjectKey key, string store)
    : Exception($"There is no object '{key}' in {store}.")
{
    public ObjectKey Key { get; } = key;
}
