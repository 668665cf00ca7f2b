using NLDS.BackupAgent.Storage;

namespace NLDS.BackupAgent.Repository;

/// <summary>Lets a source tell a store that failed from everything else that can fail, without knowing stores.</summary>
public static class StoreFailures
{
    /// <summary>True when the store could not do what was asked; whether what was asked for exists is then not known.</summary>
    public static bool IsStoreFailure(this Exception failure) => failure is ObjectStoreException;
}
