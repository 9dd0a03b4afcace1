// empty
import Testing
